namespace Resilience.Tests.Pipeline;

/// <summary>What went wrong has a short name, in events, metrics and spans alike.</summary>
public sealed class NamesOfErrorsTests
{
    [Fact]
    public async Task Exceptions_can_be_named_for_telemetry_and_a_broken_rule_leaves_the_name_of_the_type()
    {
        List<string> reasons = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .Classify(c => c.NameException<EndOfStreamException>(_ => "gone")
                .NameException<IOException>(e => e.Message == "x" ? throw new InvalidOperationException() : null))
            .AddRetry(o => (o.MaxRetries, o.BaseDelay) = (1, TimeSpan.Zero)).OnEvent(e => reasons.Add((e as RetryScheduled)?.Reason ?? "")).Build();
        await pipeline.TryExecuteAsync<int>(_ => throw new EndOfStreamException());
        await pipeline.TryExecuteAsync<int>(_ => throw new IOException("x"));
        reasons.Where(r => r.Length > 0).Should().Equal("gone", typeof(IOException).FullName);
    }
}

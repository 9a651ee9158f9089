namespace Resilience.Tests.Calls;

public sealed class PreparedCallTests
{
    private static readonly ResilienceProperty<int> Number = new("number");

    private readonly ResiliencePipeline _pipeline = new ResiliencePipelineBuilder()
        .AddRetry(new RetryOptions { MaxRetries = 1, BaseDelay = TimeSpan.Zero }).Build();

    private readonly ResiliencePipeline<string> _typed = new ResiliencePipelineBuilder<string>().AddTimeout(TimeSpan.FromMinutes(1)).Build();

    private static string Read(ResilienceContext context) => $"{context.Operation} {context.GetValue(Number, -1)} {context.CancellationToken.CanBeCanceled}";

    [Fact]
    public async Task A_call_has_the_operation_the_token_and_the_properties_that_it_was_prepared_with()
    {
        using CancellationTokenSource source = new();
        PreparedCall call = new("order", source.Token);
        call.Properties.With(Number, 7);
        (await _pipeline.ExecuteAsync(c => new ValueTask<string>(Read(c)), call)).Should().Be("order 7 True");
        (await _typed.ExecuteAsync(c => new ValueTask<string>(Read(c)), call)).Should().StartWith("order 7");
        _pipeline.Execute(Read, call).Should().Be("order 7 True");
        _typed.Execute(Read, call).Should().StartWith("order 7");
        List<string> seen = [];
        _pipeline.Execute(c => { seen.Add(Read(c)); }, call);
        await _pipeline.ExecuteAsync(
            c =>
            {
                seen.Add(Read(c));
                return default;
            },
            call);
        seen.Should().Equal("order 7 True", "order 7 True");
        await source.CancelAsync();
        Func<Task> late = async () => await _pipeline.ExecuteAsync(c => new ValueTask<string>(Read(c)), call);
        await late.Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task What_an_attempt_sets_the_next_one_sees_and_the_next_call_does_not()
    {
        PreparedCall call = new(CancellationToken.None);
        List<int> seen = [];
        for (int i = 0; i < 2; i++)
        {
            await _pipeline.ExecuteAsync(
                context =>
                {
                    seen.Add(context.GetValue(Number, 0));
                    context.Set(Number, 5);
                    return seen.Count % 2 == 1 ? throw new IOException() : new ValueTask<int>(1);
                },
                call);
        }

        seen.Should().Equal(0, 5, 0, 5);
        call.Operation.Should().BeNull();
    }

    [Fact]
    public void Null_is_rejected_by_name()
    {
        PreparedCall call = new();
        ((Action)(() => _pipeline.Execute(Read, (PreparedCall)null!))).Should().Throw<ArgumentNullException>().WithParameterName("call");
        ((Action)(() => _pipeline.Execute((Func<ResilienceContext, int>)null!, call))).Should().Throw<ArgumentNullException>().WithParameterName("callback");
        ((Action)(() => ((ResiliencePipeline)null!).Execute(Read, call))).Should().Throw<ArgumentNullException>().WithParameterName("pipeline");
    }
}

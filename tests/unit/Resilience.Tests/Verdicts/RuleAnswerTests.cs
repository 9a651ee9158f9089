using Resilience.Tests.Seams;

namespace Resilience.Tests.Verdicts;

/// <summary>A rule that answers with what an outcome cannot be is passed over, counted every time and told once.</summary>
public sealed class RuleAnswerTests
{
    private readonly List<RuleVerdictIgnored> _heard = [];

    private ResiliencePipelineBuilder Builder(Func<OutcomeClassifier, OutcomeClassifier> rules) =>
        new ResiliencePipelineBuilder { Name = "p" }.Classify(rules).AddRetry(o => (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 1)).OnEvent(happened =>
        {
            if (happened is RuleVerdictIgnored rejected) lock (_heard) _heard.Add(rejected);
        });

    private static OutcomeClassifier Rule(OutcomeClassifier rules, string where, Verdict answer) => where switch
    {
        "exception" => rules.On<IOException>(_ => answer),
        "exception, with facts" => rules.On<IOException>(_ => (Classification?)new Classification(answer)),
        "exception, in a table" => rules.Table("mine", r => r.On<IOException>(_ => answer)),
        "result" => rules.OnResult<int>(_ => answer),
        "result, with facts" => rules.OnResult<int>(_ => (Classification?)new Classification(answer)),
        "result, for a base type" => rules.OnResult<IComparable>(_ => answer),
        _ => rules.Table("mine", r => r.OnResult<int>(_ => answer)),
    };

    public static TheoryData<string, Verdict> All()
    {
        TheoryData<string, Verdict> all = [];
        foreach (string where in (string[])["exception", "exception, with facts", "exception, in a table"])
        {
            all.Add(where, Verdict.None);
            all.Add(where, Verdict.Success);
        }

        foreach (string where in (string[])["result", "result, with facts", "result, for a base type", "result, in a table"])
        {
            all.Add(where, Verdict.None);
            all.Add(where, Verdict.Rejected);
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task An_impossible_answer_is_passed_over_counted_and_reported_once(string where, Verdict answer)
    {
        bool isResult = where.StartsWith("result", StringComparison.Ordinal);
        ResiliencePipeline pipeline = Builder(rules => Rule(rules, where, answer)).Build();
        using CallbackErrors errors = new();
        await Parallel.ForAsync(0, 100, async (_, token) =>
        {
            Outcome<int> outcome = await pipeline.TryExecuteAsync(_ => isResult ? new ValueTask<int>(1) : throw new IOException(), token);
            outcome.Verdict.Should().Be(isResult ? Verdict.Success : Verdict.Failure, "the rule is passed over");
        });
        _heard.Should().Equal(new RuleVerdictIgnored("p", answer, isResult));
        if (isResult) errors.Count.Should().BeGreaterThanOrEqualTo(100);
    }

    [Fact]
    public async Task Each_kind_is_reported_and_reported_again_after_an_update()
    {
        static OutcomeClassifier Wrong(OutcomeClassifier rules) => rules
            .OnResult<int>(static r => r == 0 ? Verdict.None : r == 1 ? Verdict.Rejected : null)
            .On<IOException>(static _ => Verdict.Success)
            .On<InvalidDataException>(static _ => Verdict.None);
        ResiliencePipeline pipeline = Builder(Wrong).Build();
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < 3; i++)
            {
                await pipeline.TryExecuteAsync(_ => new ValueTask<int>(0));
                await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1));
                await pipeline.TryExecuteAsync(_ => new ValueTask<int>(2));
                await pipeline.TryExecuteAsync<int>(_ => throw new IOException());
                await pipeline.TryExecuteAsync<int>(_ => throw new InvalidDataException());
            }

            _heard.Should().BeEquivalentTo(
            [
                new RuleVerdictIgnored("p", Verdict.None, true), new("p", Verdict.Rejected, true), new("p", Verdict.Success, false),
                new("p", Verdict.None, false),
            ]);
            _heard.Clear();
            pipeline.Update(Builder(Wrong));
        }
    }

    [Fact]
    public async Task Possible_answers_are_not_reported()
    {
        ResiliencePipeline pipeline = Builder(static rules => rules
            .OnResult<int>(static r => (Verdict)(r + 1))
            .On<Exception>(static e => e is IOException ? Verdict.Rejected : e is TimeoutException ? Verdict.Ignored : Verdict.Failure)).Build();
        for (int i = 0; i < 3; i++) await pipeline.TryExecuteAsync(_ => new ValueTask<int>(i));
        foreach (Exception error in (Exception[])[new IOException(), new TimeoutException(), new InvalidDataException()])
            await pipeline.TryExecuteAsync<int>(_ => throw error);
        _heard.Should().BeEmpty();
    }
}

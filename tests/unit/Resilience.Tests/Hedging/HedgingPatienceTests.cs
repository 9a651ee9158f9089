namespace Resilience.Tests.Hedging;

/// <summary>A failure that asks for patience is given some, and not without bound.</summary>
public sealed class HedgingPatienceTests
{
    private readonly WatchedTime _time = new();
    private readonly Attempts<int> _attempts = new();

    private ResiliencePipeline<int> Pipeline(TimeSpan asked, ConcurrencyLimit limit) => new ResiliencePipelineBuilder<int> { TimeProvider = _time }
        .Classify(rules => rules.OnResult<int>(result => result == 429 ? Classification.Throttled(asked) : null))
        .AddConcurrencyLimit(limit).AddHedging(o => (o.Delay, o.MaxAttempts) = (TimeSpan.FromSeconds(1), 3)).Build();

    public static TheoryData<TimeSpan> TooLong =>
        [TimeSpan.FromSeconds(61), TimeSpan.FromMinutes(10), TimeSpan.FromDays(49), TimeSpan.FromDays(80), TimeSpan.FromDays(100_000), TimeSpan.MaxValue];

    [Theory]
    [MemberData(nameof(TooLong))]
    public async Task A_requested_wait_of_more_than_a_minute_ends_the_race_with_that_result(TimeSpan asked)
    {
        ConcurrencyLimit limit = new(new ConcurrencyLimitOptions { MaxConcurrent = 1 }, _time);
        Task<Outcome<int>> call = Pipeline(asked, limit).TryExecuteAsync(_attempts.RunAsync).AsTask();
        (await _attempts.NextAsync()).Result.SetResult(429);
        Outcome<int> outcome = await call.WaitAsync(TimeSpan.FromSeconds(60));
        (outcome.HasResult, outcome.RawValue, outcome.Verdict, _attempts.Count, limit.Running).Should().Be((true, 429, Verdict.Failure, 1, 0));
    }

    [Theory]
    [MemberData(nameof(TooLong))]
    public async Task What_is_under_way_may_still_win_and_nothing_more_starts(TimeSpan asked)
    {
        ConcurrencyLimit limit = new(new ConcurrencyLimitOptions { MaxConcurrent = 1 }, _time);
        Task<Outcome<int>> call = Pipeline(asked, limit).TryExecuteAsync(_attempts.RunAsync).AsTask();
        Attempts<int>.One first = await _attempts.NextAsync();
        await _time.PassAsync(TimeSpan.FromSeconds(1));
        (await _attempts.NextAsync()).Result.SetResult(429);
        first.Result.SetResult(1);
        Outcome<int> outcome = await call.WaitAsync(TimeSpan.FromSeconds(60));
        (outcome.Value, _attempts.Count, limit.Running).Should().Be((1, 2, 0));
    }

    [Fact]
    public async Task A_requested_wait_of_a_minute_is_honored()
    {
        ConcurrencyLimit limit = new(new ConcurrencyLimitOptions { MaxConcurrent = 1 }, _time);
        Task<Outcome<int>> call = Pipeline(TimeSpan.FromMinutes(1), limit).TryExecuteAsync(_attempts.RunAsync).AsTask();
        (await _attempts.NextAsync()).Result.SetResult(429);
        await _time.PassAsync(TimeSpan.FromSeconds(1)); // the delay of the first, which has ended
        await _time.PassAsync(TimeSpan.FromMinutes(1));
        (await _attempts.NextAsync()).Result.SetResult(2);
        (await call.WaitAsync(TimeSpan.FromSeconds(60))).Value.Should().Be(2);
    }
}

namespace Resilience.Tests.Seams;

/// <summary>Exceptions that hold one another so often that no walk over all paths comes back: every place that judges an exception, or writes one
/// down, looks at a bounded number of them.</summary>
public sealed class LargeExceptionTests
{
    private static readonly OutcomeClassifier Rules = OutcomeClassifier.Default
        .On<TimeZoneNotFoundException>(Verdict.Ignored).On<IOException>(static _ => default(Classification?)).NameException<Exception>(static _ => null);

    private static readonly (string Name, Action<Exception> Do)[] Places =
    [
        ("the defaults", static error => OutcomeClassifier.Default.Judge(error, callCancelled: false)),
        ("the verdict", static error => OutcomeClassifier.Default.Classify(error, callCancelled: false)),
        ("rules of a user", static error => Rules.Judge(error, callCancelled: false)),
        ("names of errors", static error => Rules.ErrorTypeOf(error)),
        ("outcomes of a key", static error => IdempotencyOutcomes.Default.DispositionOf(error, isPastPointOfNoReturn: false)),
        ("the text of an outcome", static error => Outcome.Failure<int>(error).ToString()),
        ("the text of a failed fallback", static error => new FallbackFailed("", "p", Verdict.Failure, error).ToString()),
        ("the text of an answer of a gate", static error =>
            new IdempotencyChecked("", "p", "id", IdempotencyStatus.StoreUnavailable, 0) { Error = error }.ToString()),
        ("the text of an outcome not kept", static error => new IdempotencyOutcomeNotKept("", "p", "id", IdempotencyFinish.Lost, error).ToString()),
        ("a call that awaits", static error => Call(async _ =>
        {
            await Task.Yield();
            throw error;
        })),
        ("a call that fails at once", static error => Call(_ => throw error)),
        ("a call with several errors", static error =>
        {
            TaskCompletionSource several = new();
            several.SetException(new[] { error, error, error });
            ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o => o.BaseDelay = TimeSpan.FromTicks(1)).Build();
            pipeline.ExecuteAsync(_ => several.Task).AsTask().GetAwaiter().GetResult();
        }),
        ("a call whose caller leaves", static error =>
        {
            using CancellationTokenSource leaves = new();
            Call(
                async _ =>
                {
                    await leaves.CancelAsync();
                    throw error;
                },
                leaves.Token);
        }),
        ("a call cut by a timeout", static error => Call(async token =>
        {
            await Task.Delay(System.Threading.Timeout.Infinite, token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw error;
        })),
        ("a call with a key", static error => Keyed(new InMemoryIdempotencyStore(), error)),
        ("a call with a key whose store fails", static error => Keyed(new ThrowingStore(() => error), error)),
    ];

    private static readonly ResiliencePipeline<int> Shared = Everything();

    /// <summary>What a policy of each kind does with an exception, and a listener that writes down what it receives.</summary>
    private static ResiliencePipeline<int> Everything(IdempotencyGate? gate = null)
    {
        ResiliencePipelineBuilder<int> builder = new() { Name = "p" };
        builder.OnEvent(static happened => _ = happened.ToString());
        builder.AddFallback(o => o.Call = static _ => throw new IOException());
        if (gate is not null) builder.AddIdempotency(gate);
        return builder
            .AddTimeout(TimeSpan.FromSeconds(20))
            .AddConcurrencyLimit(1)
            .AddRetry(o => (o.MaxRetries, o.BaseDelay) = (1, TimeSpan.FromTicks(1)))
            .AddHedging(o => (o.MaxAttempts, o.Delay) = (2, TimeSpan.FromMinutes(1)))
            .AddCircuitBreaker(o => o.MinimumCalls = 1_000_000)
            .AddTimeout(TimeSpan.FromMilliseconds(20))
            .Build();
    }

    private static void Call(Func<CancellationToken, ValueTask<int>> operation, CancellationToken token = default) =>
        Shared.TryExecuteAsync(operation, token).AsTask().GetAwaiter().GetResult().ToString();

    private static void Keyed(IIdempotencyStore store, Exception error)
    {
        using IdempotencyGate gate = new(store, new() { AcquireTimeout = TimeSpan.FromMilliseconds(50) }, listener: static happened => _ = happened.ToString());
        CallOptions options = new("charge") { Properties = new CallProperties().With(IdempotencyKey.Property, new IdempotencyKey("shop", "1")) };
        Outcome<int> outcome = Everything(gate).TryExecuteAsync<Exception>(options, static (_, error) => throw error, error).AsTask().GetAwaiter().GetResult();
        outcome.ToString();
        _ = outcome.Rejection?.Reason;
    }

    private static string[] Wrong(string shape, params IEnumerable<(string Name, Action<Exception> Do)> places) =>
        [.. places.Select(p => (p.Name, Wrong: LargeExceptions.Wrong(shape, p.Do))).Where(p => p.Wrong is not null).Select(p => $"{p.Name}: {p.Wrong}")];

    public static TheoryData<string> Shapes() => [.. LargeExceptions.All];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void No_place_that_judges_an_exception_or_writes_it_down_follows_all_that_it_holds(string shape) => Wrong(shape, Places).Should().BeEmpty();

    [Fact]
    public void The_check_finds_places_that_follow_everything()
    {
        Wrong("the same twice", ("message", static error => _ = error.Message)).Should().ContainSingle();
        Wrong("the same twice", ("text", static error => _ = error.ToString())).Should().ContainSingle();
        Wrong("a thousand, a thousand times", ("message", static error => _ = error.Message)).Should().ContainSingle();
        Wrong("loader exceptions", ("text", static error => _ = error.ToString())).Should().ContainSingle();
        using CancellationTokenSource enough = new();
        LargeExceptions.Wrong("rejected a million times", error => Walk(error, enough.Token), TimeSpan.FromMilliseconds(1)).Should().NotBeNull("it never ends");
        enough.Cancel();

        static bool Walk(Exception error, CancellationToken enough) => enough.IsCancellationRequested
            || error is not AggregateException several || several.InnerExceptions.All(e => Walk(e, enough));
    }

    /// <summary>What is too large is judged like an exception that wraps nothing, and on the side of those who may have done something.</summary>
    [Theory]
    [MemberData(nameof(Shapes))]
    public void What_is_too_large_is_an_unknown_failure_and_may_have_done_something(string shape)
    {
        (Exception error, _) = LargeExceptions.Make(shape);
        OutcomeClassifier.Default.Judge(error, callCancelled: false).Verdict.Should().Be(Verdict.Failure);
        bool saysSoItself = error is HttpRequestException; // no connection came about, whatever it wraps
        IdempotencyOutcomes.Default.DispositionOf(error, isPastPointOfNoReturn: false)
            .Should().Be(saysSoItself ? IdempotencyDisposition.Release : IdempotencyDisposition.Hold);
    }

    [Fact]
    public void What_is_large_and_readable_is_judged_by_all_that_it_holds()
    {
        AggregateException many = new(Enumerable.Repeat(new ArgumentException(), 500));
        OutcomeClassifier.Default.Judge(many, callCancelled: false).Verdict.Should().Be(Verdict.Ignored);
        OutcomeClassifier.Default.Judge(new AggregateException(many, new IOException()), callCancelled: false).Verdict.Should().Be(Verdict.Failure);
    }
}

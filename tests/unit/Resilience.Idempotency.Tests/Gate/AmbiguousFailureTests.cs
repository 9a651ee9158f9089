using System.ComponentModel.DataAnnotations;
using System.Data.Common;
using System.Net.Sockets;

namespace Resilience.Idempotency.Tests.Gate;

/// <summary>What may have happened is held; only what surely did not is released. And a message that always fails is not processed for ever.</summary>
public sealed class AmbiguousFailureTests
{
    private static readonly Exception Rejected = new SocketException((int)SocketError.ConnectionRefused);

    public static TheoryData<Exception> MayHaveHappened => new(
        new HttpRequestException("the connection was cut"),
        new HttpRequestException(HttpRequestError.ResponseEnded, "cut", new IOException("reset", new SocketException((int)SocketError.ConnectionReset))),
        new IOException("cut"),
        new SocketException((int)SocketError.ConnectionReset),
        new SocketException((int)SocketError.TimedOut),
        new Broken("the database went away"),
        new InvalidOperationException("after the charge"),
        new InvalidOperationException("wrapped", new TimeoutException()),
        new TimeoutException("late", Rejected),
        new TaskCanceledException("late", Rejected),
        new InvalidOperationException("wrapped", new AggregateException(Rejected, new IOException("cut"))),
        new InvalidOperationException("wrapped", new AggregateException()),
        new Carrying(null, new TimedOutException("attempt-timeout", TimeSpan.FromSeconds(1))), // what a client of ours throws when its time is over: it carries no rejection
        new InvalidOperationException("wrapped", new Carrying(null, new TimedOutException("attempt-timeout", TimeSpan.FromSeconds(1)))),
        new Carrying(null, null),
        new ArgumentException("found out late"));

    public static TheoryData<Exception> SurelyDidNot => new(
        Rejected,
        new SocketException((int)SocketError.HostNotFound),
        new HttpRequestException(HttpRequestError.ConnectionError, "rejected", Rejected),
        new HttpRequestException(HttpRequestError.NameResolutionError),
        new HttpRequestException(HttpRequestError.SecureConnectionError),
        new HttpRequestException("older handlers do not say", Rejected),
        new Broken("failed to connect", Rejected),
        new InvalidOperationException("wrapped", new Broken("failed to connect", Rejected)),
        new InvalidOperationException("wrapped", new AggregateException(Rejected, new SocketException((int)SocketError.HostNotFound))),
        new ValidationException("no amount"),
        new Carrying(Rejection().Rejection, null),
        new InvalidOperationException("wrapped", Rejection()));

    [Theory]
    [MemberData(nameof(MayHaveHappened))]
    public async Task What_may_have_happened_is_held(Exception thrown)
    {
        (IdempotencyState state, IdempotencyResult next) = await FailAsync(thrown);
        state.Should().Be(IdempotencyState.InFlight);
        next.Status.Should().Be(IdempotencyStatus.InFlight);
        IdempotencyOutcomes.Default.DispositionOf(thrown, isPastPointOfNoReturn: false).Should().Be(IdempotencyDisposition.Hold);
        IdempotencyOutcomes.Default.DispositionOf(thrown, isPastPointOfNoReturn: true).Should().Be(IdempotencyDisposition.KeepAsOutcomeUnknown);
    }

    [Theory]
    [MemberData(nameof(SurelyDidNot))]
    public async Task What_surely_did_not_happen_is_released(Exception thrown)
    {
        (IdempotencyState state, IdempotencyResult next) = await FailAsync(thrown);
        state.Should().Be(IdempotencyState.Absent);
        next.Claim!.Attempt.Should().Be(1);
        IdempotencyOutcomes.Default.DispositionOf(thrown, isPastPointOfNoReturn: false).Should().Be(IdempotencyDisposition.Release);
        IdempotencyOutcomes.Default.DispositionOf(thrown, isPastPointOfNoReturn: true).Should().Be(IdempotencyDisposition.KeepAsOutcomeUnknown);
    }

    [Fact]
    public async Task A_last_attempt_that_was_rejected_says_nothing_of_the_first()
    {
        using Kit kit = new();
        IdempotencyId id = IdempotencyKey.Shared("order").ToId();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddIdempotency(kit.Gate, new() { KeyFor = _ => IdempotencyKey.Shared("order") })
            .AddRetry(o => o.BaseDelay = TimeSpan.Zero)
            .Build();
        int attempts = 0;

        await pipeline.TryExecuteAsync<int>(_ => throw (++attempts == 1 ? new IOException("cut after it was sent") : Rejected));

        attempts.Should().BeGreaterThan(1);
        (await kit.Memory.PeekAsync(id)).State.Should().Be(IdempotencyState.InFlight, "the first attempt may have done it");
    }

    [Fact]
    public async Task A_result_that_is_a_failure_is_held()
    {
        using Kit kit = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .Classify(c => c.OnResult<int>(r => r >= 500 ? Verdict.Failure : null))
            .AddIdempotency(kit.Gate, new() { KeyFor = _ => IdempotencyKey.Shared("order") })
            .Build();

        await pipeline.TryExecuteAsync<int>(_ => new ValueTask<int>(500));

        (await kit.Memory.PeekAsync(IdempotencyKey.Shared("order").ToId())).State.Should().Be(IdempotencyState.InFlight);
    }

    [Theory]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(ValidationException))]
    [InlineData(typeof(IOException))]
    public async Task A_message_that_always_fails_is_poison_after_so_many_attempts(Type failure)
    {
        using Kit kit = new(o => o.MaxAttempts = 3);
        IdempotencyKey message = new("billing", "m-1");
        List<int> attempts = [];
        for (int delivery = 0; delivery < 3; delivery++)
        {
            await kit.Gate.Awaiting(g => g.ProcessOnceAsync(message, (claim, _) =>
            {
                attempts.Add(claim.Attempt);
                throw (Exception)Activator.CreateInstance(failure, "always")!;
            }).AsTask()).Should().ThrowAsync<Exception>();
            kit.Time.Advance(TimeSpan.FromMilliseconds(1)); // nowhere near a lease
        }

        attempts.Should().Equal(1, 2, 3);
        MessageResult answer = await kit.Gate.ProcessOnceAsync(message, (_, _) => throw new InvalidOperationException("a fourth time"));
        answer.Should().Be(MessageResult.Poison);
    }

    [Fact]
    public async Task A_message_that_kills_its_process_is_poison_after_so_many_attempts()
    {
        using Kit kit = new(o => o.MaxAttempts = 2);
        IdempotencyKey message = new("billing", "m-1");
        for (int process = 0; process < 2; process++)
        {
            IdempotencyGate gate = kit.NewGate(o => o.MaxAttempts = 2);
            (await gate.EnterAsync(message.ToId(), default)).Claim.Should().NotBeNull();
            gate.Dispose();
            kit.Time.Advance(2 * Kit.Lease);
        }

        (await kit.Gate.ProcessOnceAsync(message, (_, _) => default)).Should().Be(MessageResult.Poison);
    }

    [Fact]
    public async Task A_message_that_is_rejected_by_an_open_circuit_is_not_counted()
    {
        using Kit kit = new(o => o.MaxAttempts = 2);
        IdempotencyKey message = new("billing", "m-1");
        for (int delivery = 0; delivery < 5; delivery++)
            await kit.Gate.Awaiting(g => g.ProcessOnceAsync(message, (_, _) => throw Rejection()).AsTask()).Should().ThrowAsync<CircuitOpenException>();

        (await kit.Gate.ProcessOnceAsync(message, (_, _) => default)).Should().Be(MessageResult.Processed);
    }

    private static CircuitOpenException Rejection()
    {
        CircuitBreaker breaker = new(new());
        breaker.Isolate();
        Outcome<int> rejected = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build().TryExecuteAsync(_ => new ValueTask<int>(1)).AsTask().Result;
        return (CircuitOpenException)rejected.Exception!;
    }

    private static async Task<(IdempotencyState State, IdempotencyResult Next)> FailAsync(Exception thrown)
    {
        using Kit kit = new();
        IdempotencyKey key = IdempotencyKey.Shared("order");
        (await kit.Gate.Awaiting(g => g.GetOrAddAsync<int>(key, (_, _) => throw thrown).AsTask()).Should().ThrowAsync<Exception>())
            .Which.Should().BeSameAs(thrown);
        IdempotencyState state = (await kit.Memory.PeekAsync(key.ToId())).State;
        return (state, await kit.Gate.EnterAsync(key.ToId(), default));
    }

    /// <summary>An exception of a client, in the type that its callers know.</summary>
    private sealed class Carrying(Rejection? rejection, Exception? inner) : Exception("carries", inner), ICarriesRejection
    {
        public Rejection? Rejection => rejection;

        public TimeSpan? RetryAfter => null;
    }

    private sealed class Broken(string message, Exception? inner = null) : DbException(message, inner);
}

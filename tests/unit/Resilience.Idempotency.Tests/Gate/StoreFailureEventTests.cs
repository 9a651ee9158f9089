namespace Resilience.Idempotency.Tests.Gate;

/// <summary>What the store says when it fails is told somewhere, also where no caller waits for it.</summary>
public sealed class StoreFailureEventTests
{
    private static readonly IdempotencyStoreException NoRight = new(IdempotencyStoreFault.Misconfigured, "permission denied for table keys");

    /// <summary>Everything that a gate asks of its store, and the event that tells of its failure.</summary>
    public static TheoryData<string, Type> Operations => new()
    {
        { "acquire", typeof(IdempotencyChecked) },
        { "complete", typeof(IdempotencyOutcomeNotKept) },
        { "release", typeof(IdempotencyOutcomeNotKept) },
        { "renew", typeof(IdempotencyStoreFailed) },
        { "purge", typeof(IdempotencyStoreFailed) },
        { "release of a caller who left", typeof(IdempotencyStoreFailed) },
    };

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Whatever_the_store_fails_at_an_event_tells_why(string what, Type told)
    {
        string operation = what.Split(' ')[0];
        UnrulyStore? store = null;
        using Kit kit = new(null, inner => store = new(inner));
        store!.Before = asked => asked == operation ? Task.FromException(NoRight) : Task.CompletedTask;

        await FailAsync(kit, store, what);

        await Kit.UntilAsync(() => Told(kit, told).Any());
        Exception? error = Told(kit, told).Select(ErrorOf).First();
        error.Should().BeSameAs(NoRight);
        Told(kit, typeof(IdempotencyStoreFailed)).Cast<IdempotencyStoreFailed>()
            .All(e => e.Task == operation && e.Fault == IdempotencyStoreFault.Misconfigured).Should().BeTrue();
    }

    [Theory]
    [InlineData("it says why", "permission denied for schema keys")]
    [InlineData("it hangs", "did not answer to acquire within 20 ms")]
    public async Task While_the_circuit_before_the_store_is_open_callers_see_its_last_failure(string how, string cause)
    {
        UnrulyStore store = new(new InMemoryIdempotencyStore())
        {
            Before = _ => how == "it hangs"
                ? Task.Delay(Timeout.Infinite)
                : Task.FromException(new IdempotencyStoreException(IdempotencyStoreFault.Unavailable, "permission denied for schema keys")),
        };
        ResiliencePipeline guard = new ResiliencePipelineBuilder { Classifier = GuardedIdempotencyStore.Classifier }
            .AddCircuitBreaker(
                new CircuitBreakerOptions { ConsecutiveFailures = 1, BreakDuration = TimeSpan.FromHours(1), MaxBreakDuration = TimeSpan.FromHours(1) }).Build();
        using IdempotencyGate gate = new(new GuardedIdempotencyStore(store, guard), new() { AcquireTimeout = TimeSpan.FromMilliseconds(20) });
        await gate.EnterAsync(Kit.NewId(), default);
        guard.Find<CircuitBreaker>()!.State.Should().Be(CircuitState.Open);

        IdempotencyResult rejected = await gate.EnterAsync(Kit.NewId(), default);

        rejected.Error!.Message.Should().Contain("the circuit has been open").And.Contain(cause);
        rejected.Error.InnerException.Should().BeOfType<IdempotencyStoreException>().Which.Message.Should().Contain(cause, "and the log has all of it");
    }

    [Fact]
    public async Task A_claim_that_is_lost_because_renewals_failed_says_why_and_one_that_was_taken_over_does_not()
    {
        UnrulyStore? store = null;
        using Kit kit = new(null, inner => store = new(inner));
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(Kit.NewId(), default)).Claim!;
        store!.Before = operation => operation == "renew" ? Task.FromException(NoRight) : Task.CompletedTask;

        await kit.PassAsync(Kit.Lease * 1.2, 100);

        await Kit.UntilAsync(() => claim.IsLost);
        Told(kit, typeof(IdempotencyClaimLost)).Cast<IdempotencyClaimLost>().Should().ContainSingle().Which.Error.Should().BeSameAs(NoRight);

        store.Before = null;
        IdempotencyClaim other = (await kit.Gate.EnterAsync(Kit.NewId(), default)).Claim!;
        await kit.Memory.ReleaseAsync(other.Id, other.Fence);
        await kit.PassAsync(Kit.Lease / 2, 50);
        await Kit.UntilAsync(() => other.IsLost);
        Told(kit, typeof(IdempotencyClaimLost)).Cast<IdempotencyClaimLost>().Last().Error.Should().BeNull();
    }

    private static async Task FailAsync(Kit kit, UnrulyStore store, string what)
    {
        switch (what)
        {
            case "acquire":
                await kit.Gate.EnterAsync(Kit.NewId(), default);
                break;
            case "complete":
                await (await kit.Gate.EnterAsync(Kit.NewId(), default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, default);
                break;
            case "release":
                await (await kit.Gate.EnterAsync(Kit.NewId(), default)).Claim!.ReleaseAsync();
                break;
            case "renew":
                _ = await kit.Gate.EnterAsync(Kit.NewId(), default);
                await kit.PassAsync(Kit.Lease / 2, 50);
                break;
            case "purge":
                kit.Time.Advance(TimeSpan.FromMinutes(2));
                _ = await kit.Gate.EnterAsync(Kit.NewId(), default);
                break;
            default:
                TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously),
                    answers = new(TaskCreationOptions.RunContinuationsAsynchronously);
                Func<string, Task> before = store.Before!;
                store.Before = async operation =>
                {
                    if (operation == "acquire") asked.TrySetResult();
                    if (operation == "acquire") await answers.Task;
                    await before(operation);
                };
                using (CancellationTokenSource leaves = new())
                {
                    Task<IdempotencyResult> entering = kit.Gate.EnterAsync(Kit.NewId(), default, leaves.Token).AsTask();
                    await asked.Task.WaitAsync(Kit.Patience);
                    await leaves.CancelAsync();
                    await FluentActions.Awaiting(() => entering).Should().ThrowAsync<OperationCanceledException>();
                    answers.SetResult();
                }

                break;
        }
    }

    private static IReadOnlyList<ResilienceEvent> Told(Kit kit, Type type)
    {
        lock (kit.Events) return [.. kit.Events.Where(type.IsInstanceOfType).Where(e => ErrorOf(e) is not null || e is IdempotencyClaimLost)];
    }

    private static Exception? ErrorOf(ResilienceEvent happened) => happened switch
    {
        IdempotencyChecked e => e.Error,
        IdempotencyOutcomeNotKept e => e.Error,
        IdempotencyStoreFailed e => e.Error,
        IdempotencyClaimLost e => e.Error,
        _ => null,
    };
}

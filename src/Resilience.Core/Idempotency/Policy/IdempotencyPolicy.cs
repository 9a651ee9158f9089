using System.Globalization;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>How a call passes idempotency: claim, go on, record; or receive what was recorded.</summary>
internal sealed class IdempotencyPolicy(IdempotencyGate gate, IdempotencyPolicyOptions options, PolicyEnvironment environment) : ResiliencePolicy
{
    internal override bool NeverThrows => true;

    public override object? State => gate;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) =>
        new Link<T>(this, next, new(gate, environment, options));

    public override PolicyDescription Describe()
    {
        IdempotencyOptions asked = gate.Options;
        List<KeyValuePair<string, string>> described =
        [
            new("gate", gate.Name),
            new("store", gate.Store.Traits.Name),
            new("lease", $"{Show(asked.Lease)}, renewed for up to {Show(asked.MaxExecution)}"),
            new("retention", $"{Show(asked.Retention)}, purged {(asked.PurgeInterval == TimeSpan.Zero ? "never" : $"every {Show(asked.PurgeInterval)}")}"),
            new("attempts", Show(asked.MaxAttempts)),
            new("in flight", asked.WhenInFlight == WhenInFlight.Wait
                ? $"wait up to {Show(asked.MaxWait)}, {Show(asked.MaxWaitersPerKey)} a key and {Show(asked.MaxWaiters)} in all"
                : "reject"),
            new("store fails", $"{(asked.WhenStoreFails == WhenStoreFails.Reject ? "reject" : "run unprotected")}, "
                + $"asked for {Show(asked.AcquireTimeout)}, told for {Show(asked.FinishTimeout)}"),
            new("replays", ShowReplays(asked)),
            new("key missing", MayRunWithoutKey ? "run unprotected" : "reject"),
            new("serializer", options.Serializer.GetType().Name),
            new("caller cancels", options.IgnoreCallersCancellation ? "go on" : "stop"),
        ];
        PolicyDescription.AddIfOwn(described, "key", options.KeyFor);
        PolicyDescription.AddIfOwn(described, "fingerprint", options.FingerprintFor);
        if (options.Outcomes != IdempotencyOutcomes.Default) described.Add(new("outcomes", "custom"));
        return new(environment.PolicyName, PolicyRole.Idempotency) { Options = described };
    }

    private string ShowReplays(IdempotencyOptions asked) => gate.Store.Traits.IsImmediate || asked.ReplayCacheTime == TimeSpan.Zero
        ? "asked for"
        : $"from memory for {Show(asked.ReplayCacheTime)}, {Show(asked.ReplayCacheEntries)} keys and {asked.ReplayCacheBytes >> 10} KiB in all";

    private static string Show(TimeSpan span) => TimeText.Of(span);

    private static string Show(int number) => number.ToString(CultureInfo.InvariantCulture);

    private IdempotencyKey? KeyOf(ResilienceContext context) =>
        options.KeyFor is { } find ? find(context.Shown()) : context.TryFind(IdempotencyKey.Property, out IdempotencyKey key) ? key : null;

    private Fingerprint FingerprintOf(ResilienceContext context) =>
        options.FingerprintFor is { } find ? find(context.Shown()) : context.TryFind(Fingerprint.Property, out Fingerprint fingerprint) ? fingerprint : default;

    private sealed class Link<T>(IdempotencyPolicy policy, PolicyLink<T> next, IdempotentExecution<T> execution) : PolicyLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            IdempotencyId id;
            Fingerprint fingerprint;
            try
            {
                if (policy.KeyOf(context) is not { } key) return WithoutKey(context);
                id = key.ToId();
                fingerprint = policy.FingerprintOf(context);
            }
            catch (Exception error)
            {
                // A call that cannot be identified must not be executed as if it were a new one.
                return new(Outcome.Failure<T>(error, Verdict.Ignored));
            }

            return context.Settle(execution.RunAsync(id, fingerprint, (next, context), GoOn, context.Token, context.BlocksThread ? context : null));
        }

        private ValueTask<Outcome<T>> WithoutKey(ResilienceContext context) =>
            policy.MayRunWithoutKey ? next.ExecuteAsync(context) : new(Outcome.Rejected<T>(policy.RejectWithoutKey()));

        private static async ValueTask<Outcome<T>> GoOn((PolicyLink<T> Next, ResilienceContext Context) call, IdempotencyClaim claim, CancellationToken stop)
        {
            CancellationToken outer = call.Context.Token;
            call.Context.Token = stop;
            call.Context.Set(IdempotencyClaim.Property, claim);
            Outcome<T> outcome = await call.Next.ExecuteAsync(call.Context).ConfigureAwait(false);
            call.Context.Token = outer;
            claim.WasRepeated = call.Context.AttemptNumber > 0;
            return outcome;
        }
    }

    private bool MayRunWithoutKey => options.WhenKeyIsMissing == WhenKeyIsMissing.RunUnprotected;

    private IdempotencyRejection RejectWithoutKey()
    {
        IdempotencyRejection rejection = new(environment.PipelineName, environment.PolicyName, IdempotencyRejectionReason.KeyMissing, environment.Clock.Time);
        IdempotencyTelemetry.Rejected(environment, rejection);
        return rejection;
    }
}

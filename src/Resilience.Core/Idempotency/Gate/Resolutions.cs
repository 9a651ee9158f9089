namespace Resilience.Idempotency;

/// <summary>The way out for a record whose outcome is unknown.</summary>
internal static class Resolutions
{
    internal static async ValueTask<ResolveResult> ResolveAsync(IdempotencyGate gate, IdempotencyId id, IdempotencyResolution resolution)
    {
        ArgumentNullException.ThrowIfNull(resolution);
        ResolveResult answer = await gate.Calls.ResolveAsync(new()
        {
            Id = id,
            Nonce = gate.NonceOf(gate.NextNumber()),
            Completion = resolution.Completion,
            Fence = resolution.OnlyIfFence,
            Payload = PayloadOf(gate, resolution),
            Retention = gate.Options.Retention,
        }).ConfigureAwait(false);
        gate.ForgetReplay(id);
        if (answer.Status == ResolveStatus.Resolved) IdempotencyTelemetry.Ended(gate.Environment, "resolved");
        return answer;
    }

    private static byte[] PayloadOf(IdempotencyGate gate, IdempotencyResolution resolution)
    {
        // What is given back has nothing to tell; what stays unknown tells that it is unknown.
        if (resolution.Completion != IdempotencyCompletion.Completed) return [];
        IdempotencyPayloadKind kind = resolution.Kind;
        return gate.Completion.Frame(ref kind, resolution.Content.Span);
    }
}

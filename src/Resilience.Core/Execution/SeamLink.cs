using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Stands behind a policy that we did not write: lets the call go on if the call is still there, and once at a time.</summary>
internal sealed class SeamLink<T>(PolicyLink<T> next, string policyName) : SuspendingLink<T>
{
    public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.HasEnded) return new(Rejected(ResilienceContext.Ended(), "It let a call go on that had ended."));
        if (context is not Call<T>) return new(Rejected(new ArgumentException("This is the context of a call of another type."), "It mixed up two calls."));
        if (!context.TryRun())
        {
            const string Twice = "It let a call go on twice at once with one context. Let forks go on (context.Fork), and join the one that counts.";
            return new(Rejected(new InvalidOperationException(Twice), Twice));
        }

        ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
        if (!running.IsCompletedSuccessfully) return SuspendHere(running, Unsafe.As<Call<T>>(context));
        context.HasRun();
        return running;
    }

    /// <summary>Whether the policy awaits what it has let go on, when, and from which thread, we do not know: the call must come back all the same.</summary>
    private ValueTask<Outcome<T>> SuspendHere(in ValueTask<Outcome<T>> running, Call<T> call)
    {
        Suspension<T> suspension = Suspension<T>.Of(call, running);
        suspension.Push(this, default);
        return suspension.Start();
    }

    private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
    {
        context.HasRun();
        return true;
    }

    private Outcome<T> Rejected(Exception error, string fault)
    {
        SeamLink.Tell(policyName, fault);
        return new(default, error, Verdict.Ignored, OutcomeMarks.None);
    }
}

/// <summary>Says what a policy did wrong.</summary>
internal static class SeamLink
{
    /// <summary>Counted under the name of the policy.</summary>
    internal static void Tell(string policyName, string fault) => Safely.Report($"policy {policyName}", new InvalidOperationException(fault));
}

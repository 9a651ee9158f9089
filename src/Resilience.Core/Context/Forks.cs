namespace Resilience;

/// <summary>How links of ours let parts of a call run beside each other, or outlive it.</summary>
internal static class Forks
{
    /// <summary>As <see cref="ResilienceContext.Fork"/>, for links of ours: never throws.</summary>
    internal static ResilienceContext Copy(this ResilienceContext context) => context.AsFork(context.Clone());

    /// <summary>The same as one of the spare contexts, for who gives it back with <see cref="EndSpareFork"/> if all went well.</summary>
    internal static ResilienceContext CopyToSpare(this ResilienceContext context)
    {
        ResilienceContext fork = context.TakeSpare();
        fork.State = context.State;
        return context.AsFork(fork);
    }

    private static ResilienceContext AsFork(this ResilienceContext context, ResilienceContext fork)
    {
        if (context.State.Properties is not null) context.State.SharesProperties = fork.State.SharesProperties = true;
        context.State.HasCopies = true;
        fork.State.HasCopies = false;
        fork.State.IsRunning = 0;
        if (context.State.Counter is null)
        {
            fork.State.Counted = context.State.Attempt;
            context.State.Counter = fork.State.Counter = fork;
        }

        return fork;
    }

    /// <summary>As <see cref="ResilienceContext.Join"/>, for links of ours: of a fork that may have been ended already.</summary>
    internal static void Take(this ResilienceContext context, ResilienceContext fork)
    {
        context.State.Properties = fork.State.Properties;
        context.State.SharesProperties = fork.State.SharesProperties;
        context.JoinUnfinished(fork);
    }

    /// <summary>As <see cref="ResilienceContext.Join"/>, for a fork that is no longer waited for: its properties are still its own, because it may be writing
    /// them at this moment.</summary>
    internal static void JoinUnfinished(this ResilienceContext context, ResilienceContext fork)
    {
        // Acquire: a loser that has not heard of its end yet may count on; its numbers are its own affair.
        int counted = Volatile.Read(ref context.State.Counter!.State.Counted);
        context.State.Attempt = counted >= 0 ? counted : int.MaxValue;
        context.TakeRemarks(fork);
        context.CreditedAccount = fork.CreditedAccount;
    }

    /// <summary>The run of the only fork of the context has ended before anything else of the call went on, and the context has taken up what it
    /// learnt: it is used again, unless code that is not ours, or a fork of it, may still have it.</summary>
    internal static void EndSpareFork(this ResilienceContext context, ResilienceContext fork)
    {
        if (fork.State.HasCopies || fork.State.IsShown)
        {
            fork.EndFork();
            return;
        }

        if (ReferenceEquals(context.State.Counter, fork))
        {
            context.State.Counter = null; // the context counts on by itself, and keeps what was left
            if (fork.State.Leftovers is { } left) context.State.Leftovers = left;
        }

        fork.GiveSpare();
    }

    /// <summary>Another attempt of the call begins here: it gets the next number, also of the attempts that run beside it.</summary>
    internal static int TakeNumber(this ResilienceContext context)
    {
        if (context.State.Counter is null) return context.State.Attempt < int.MaxValue ? ++context.State.Attempt : context.State.Attempt;

        // Full fence; retries inside of attempts that run beside each other count here at the same time.
        int next = Interlocked.Increment(ref context.State.Counter.State.Counted);
        return context.State.Attempt = next > 0 ? next : int.MaxValue;
    }
}

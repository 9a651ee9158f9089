namespace Resilience;

/// <content>Parts of a call that run beside each other or outlive it.</content>
public abstract partial class ResilienceContext
{
    /// <summary>A copy of the context for a part of the call that runs beside others, or that may be left behind. Pass it to
    /// <c>next.ExecuteAsync</c> instead of this one, and <see cref="Join"/> the fork whose outcome counts.</summary>
    /// <remarks>
    /// The fork is the same call (same delegate, operation, deadline and pipeline) with a token, properties and an attempt number of its own,
    /// which are those of this context to begin with. A part that may be left behind gets a token of its own
    /// (<see cref="CancellationTokenSource.CreateLinkedTokenSource(CancellationToken)"/> from this context's), which the policy cancels when the fork
    /// has lost: the tokens of the timeouts around serve other calls when this one has ended.
    /// </remarks>
    /// <param name="isNewAttempt">True: the fork is another attempt and gets the next number of the call. False (default): it goes on
    /// with the attempt of this context.</param>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public ResilienceContext Fork(bool isNewAttempt = false)
    {
        if (State.HasEnded) ThrowEnded<int>();
        ResilienceContext fork = this.Copy();
        if (!isNewAttempt) return fork;
        fork.ForgetAttempt();
        fork.MarkBegun();
        fork.TakeNumber();
        return fork;
    }

    internal ResilienceContext Clone() => (ResilienceContext)MemberwiseClone();

    /// <summary>A context of the same class, with the same delegate, that is not in use.</summary>
    internal abstract ResilienceContext TakeSpare();

    /// <summary>The context is not in use any more; it remembers nothing.</summary>
    internal abstract void GiveSpare();

    /// <summary>The part of the call that a fork was made for has ended, and its outcome counts: this context takes up what the fork has
    /// learnt. That is the number of attempts made so far (by all forks), the properties, and what <see cref="ForbidRetry"/> said.</summary>
    /// <param name="fork">A fork of this context, whose run has ended. It is not to be used again.</param>
    /// <exception cref="ArgumentNullException"><paramref name="fork"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="fork"/> is not a fork of this call.</exception>
    /// <exception cref="ObjectDisposedException">The call has ended, or the fork was joined before.</exception>
    public void Join(ResilienceContext fork)
    {
        ArgumentNullException.ThrowIfNull(fork);
        if (State.HasEnded || fork.State.HasEnded) ThrowEnded<int>();
        if (fork == this || State.Counter is null || fork.State.Counter != State.Counter)
            throw new ArgumentException("The context was not made by Fork of this call.", nameof(fork));
        this.Take(fork);
        fork.EndFork();
    }

    /// <summary>The part of the call that a fork was made for has ended, and its outcome does not count.</summary>
    internal void EndFork() => End();
}

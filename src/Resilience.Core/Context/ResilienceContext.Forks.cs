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
        if (_state.HasEnded) ThrowEnded<int>();
        ResilienceContext fork = Copy();
        if (!isNewAttempt) return fork;
        fork.ForgetAttempt();
        fork.MarkBegun();
        fork.TakeNumber();
        return fork;
    }

    /// <summary>As <see cref="Fork"/>, for links of ours: never throws.</summary>
    internal ResilienceContext Copy() => AsFork((ResilienceContext)MemberwiseClone());

    /// <summary>The same as one of the spare contexts, for who gives it back with <see cref="EndSpareFork"/> if all went well.</summary>
    internal ResilienceContext CopyToSpare()
    {
        ResilienceContext fork = TakeSpare();
        fork._state = _state;
        return AsFork(fork);
    }

    /// <summary>A context of the same class, with the same delegate, that is not in use.</summary>
    private protected abstract ResilienceContext TakeSpare();

    /// <summary>The context is not in use any more; it remembers nothing.</summary>
    private protected abstract void GiveSpare();

    private ResilienceContext AsFork(ResilienceContext fork)
    {
        if (_state.Properties is not null) _state.SharesProperties = fork._state.SharesProperties = true;
        _state.HasCopies = true;
        fork._state.HasCopies = false;
        fork._state.IsRunning = 0;
        if (_state.Counter is null)
        {
            fork._state.Counted = _state.Attempt;
            _state.Counter = fork._state.Counter = fork;
        }

        return fork;
    }

    /// <summary>The part of the call that a fork was made for has ended, and its outcome counts: this context takes up what the fork has
    /// learnt. That is the number of attempts made so far (by all forks), the properties, and what <see cref="ForbidRetry"/> said.</summary>
    /// <param name="fork">A fork of this context, whose run has ended. It is not to be used again.</param>
    /// <exception cref="ArgumentNullException"><paramref name="fork"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="fork"/> is not a fork of this call.</exception>
    /// <exception cref="ObjectDisposedException">The call has ended, or the fork was joined before.</exception>
    public void Join(ResilienceContext fork)
    {
        ArgumentNullException.ThrowIfNull(fork);
        if (_state.HasEnded || fork._state.HasEnded) ThrowEnded<int>();
        if (fork == this || _state.Counter is null || fork._state.Counter != _state.Counter)
            throw new ArgumentException("This is not a fork of the call.", nameof(fork));
        Take(fork);
        fork.EndFork();
    }

    /// <summary>As <see cref="Join"/>, for links of ours: of a fork that may have been ended already.</summary>
    internal void Take(ResilienceContext fork)
    {
        _state.Properties = fork._state.Properties;
        _state.SharesProperties = fork._state.SharesProperties;
        JoinUnfinished(fork);
    }

    /// <summary>As <see cref="Join"/>, for a fork that is no longer waited for: its properties are still its own, because it may be writing
    /// them at this moment.</summary>
    internal void JoinUnfinished(ResilienceContext fork)
    {
        // Acquire: a loser that has not heard of its end yet may count on; its numbers are its own affair.
        int counted = Volatile.Read(ref _state.Counter!._state.Counted);
        _state.Attempt = counted >= 0 ? counted : int.MaxValue;
        TakeRemarks(fork);
        CreditedAccount = fork.CreditedAccount;
    }

    /// <summary>The part of the call that a fork was made for has ended, and its outcome does not count.</summary>
    internal void EndFork() => End();

    /// <summary>The run of the only fork of this context has ended before anything else of the call went on, and this context has taken up what it
    /// learnt: it is used again, unless code that is not ours, or a fork of it, may still have it.</summary>
    internal void EndSpareFork(ResilienceContext fork)
    {
        if (fork._state.HasCopies || fork._state.IsShown)
        {
            fork.EndFork();
            return;
        }

        if (ReferenceEquals(_state.Counter, fork))
        {
            _state.Counter = null; // this context counts on by itself, and keeps what was left
            if (fork._state.Leftovers is { } left) _state.Leftovers = left;
        }

        fork.GiveSpare();
    }

    /// <summary>Another attempt of the call begins here: it gets the next number, also of the attempts that run beside it.</summary>
    internal int TakeNumber()
    {
        if (_state.Counter is null) return _state.Attempt < int.MaxValue ? ++_state.Attempt : _state.Attempt;

        // Full fence; retries inside of attempts that run beside each other count here at the same time.
        int next = Interlocked.Increment(ref _state.Counter._state.Counted);
        return _state.Attempt = next > 0 ? next : int.MaxValue;
    }
}

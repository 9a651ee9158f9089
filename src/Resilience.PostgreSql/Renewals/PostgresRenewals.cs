using System.Diagnostics.CodeAnalysis;

namespace Resilience.Idempotency;

/// <summary>Renewals that come while another one is being written wait for it, and then go together in one statement. Thread-safe.</summary>
/// <remarks>
/// <para>The first goes at once and alone, as if there were no others. Those that come meanwhile are next when its statement has ended, or when the first
/// of them has waited for <see cref="Patience"/>: a statement that hangs holds up no other claim.</para>
/// <para>A statement for several never waits for a row, so it can neither lock in a wrong order nor be held up by a transaction of the user. It says nothing
/// of a row that it found locked: a statement for that row alone waits for it and decides, apart from the others.</para>
/// <para>A statement holds one renewal of an id. A second one, such as the end of a lease that was just renewed, comes after it.</para>
/// </remarks>
/// <param name="one">Renews one; the token is that of its caller.</param>
/// <param name="several">Renews several and answers each in its place: null where another transaction is at the row. The token is cancelled when no
/// caller waits any more.</param>
/// <param name="mayBeOfOne">Whether an error may come from one of several, so that the others must be asked without it.</param>
/// <param name="time">Measures <see cref="Patience"/>.</param>
internal sealed class PostgresRenewals(
    Func<PostgresRenewal, CancellationToken, ValueTask<bool>> one,
    Func<IReadOnlyList<PostgresRenewal>, CancellationToken, ValueTask<bool?[]>> several,
    Func<Exception, bool> mayBeOfOne,
    TimeProvider time)
{
    /// <summary>How many go in one statement at most: their rows are locked until it has ended.</summary>
    internal const int MaxTogether = 500;

    /// <summary>How long a statement that is under way is waited for.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new(); // guards what is below, and who has left
    private List<Waiting> _waiting = [];
    private object? _turn; // what is under way and waited for; null when the next may go at once

    /// <summary>Renews a lease.</summary>
    /// <returns>False when the claim is lost.</returns>
    internal ValueTask<bool> RenewAsync(PostgresRenewal asked, CancellationToken cancellationToken)
    {
        object turn;
        Waiting? mine = null;
        bool isFirstToWait = false;
        lock (_gate)
        {
            if (_turn is null)
            {
                _turn = turn = new();
            }
            else
            {
                turn = _turn;
                isFirstToWait = _waiting.Count == 0;
                _waiting.Add(mine = new(asked, cancellationToken));
            }
        }

        if (mine is null) return GoAloneAsync(asked, turn, cancellationToken);
        if (isFirstToWait) _ = OvertakeAsync(turn);
        return WaitAsync(mine);
    }

    private async ValueTask<bool> GoAloneAsync(PostgresRenewal asked, object turn, CancellationToken cancellationToken)
    {
        try
        {
            return await one(asked, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            EndTurn(turn);
        }
    }

    private async ValueTask<bool> WaitAsync(Waiting mine)
    {
        try
        {
            return await mine.Answer.WaitAsync(mine.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (mine.Token.IsCancellationRequested)
        {
            Leave(mine);
            throw;
        }
    }

    private async Task OvertakeAsync(object turn)
    {
        await Task.Delay(Patience, time).ConfigureAwait(false);
        EndTurn(turn);
    }

    /// <summary>Lets the next go, once for each turn.</summary>
    private void EndTurn(object turn)
    {
        Together? next;
        bool someStay;
        lock (_gate)
        {
            if (_turn != turn) return; // it was overtaken
            _turn = next = TakeNext();
            someStay = _waiting.Count > 0;
        }

        if (next is null) return;
        if (someStay) _ = OvertakeAsync(next);

        // On no caller's thread, and in no caller's context: neither its span nor its ambient transaction is that of the others.
        ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Renewals.SendAsync(work.Together), (Renewals: this, Together: next), preferLocal: false);
    }

    /// <summary>Under the lock: those that are next, in the order in which they came. Null when there are none.</summary>
    private Together? TakeNext()
    {
        List<Waiting> taken = [], rest = [];
        HashSet<IdempotencyId> ids = [];
        foreach (Waiting waiting in _waiting)
        {
            if (waiting.HasLeft) continue;
            (taken.Count < MaxTogether && ids.Add(waiting.Asked.Id) ? taken : rest).Add(waiting);
        }

        _waiting = rest;
        return taken.Count == 0 ? null : new(taken);
    }

    private async Task SendAsync(Together together)
    {
        await AskAsync(together.Members, together.AllHaveLeft).ConfigureAwait(false);
        EndTurn(together);
    }

    /// <summary>Does not throw: each member hears what became of it.</summary>
    private async Task AskAsync(ArraySegment<Waiting> members, CancellationToken allHaveLeft)
    {
        if (members.Count == 1)
        {
            await AskAloneAsync(members[0]).ConfigureAwait(false);
            return;
        }

        try
        {
            bool?[] answers = await several([.. members.Select(static m => m.Asked)], allHaveLeft).ConfigureAwait(false);
            for (int i = 0; i < answers.Length; i++)
            {
                if (answers[i] is { } isHeld) members[i].Tell(isHeld);
                else _ = AskAloneAsync(members[i]);
            }
        }
        catch (Exception error) when (mayBeOfOne(error))
        {
            // A row that cannot be reckoned with fails the whole statement. Halves find it in few steps.
            int half = members.Count / 2;
            await Task.WhenAll(AskAsync(members[..half], allHaveLeft), AskAsync(members[half..], allHaveLeft)).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            foreach (Waiting member in members) member.Fail(error);
        }
    }

    private async Task AskAloneAsync(Waiting member)
    {
        try
        {
            member.Tell(await one(member.Asked, member.Token).ConfigureAwait(false));
        }
        catch (Exception error)
        {
            member.Fail(error);
        }
    }

    /// <summary>The caller waits no more. What is not yet sent is not sent for it.</summary>
    private void Leave(Waiting member)
    {
        Together? over = null;
        lock (_gate)
        {
            member.HasLeft = true;
            if (member.Together is { } together && --together.StillWaiting == 0) over = together;
        }

        over?.Cancel();
    }

    /// <summary>A caller that waits for others.</summary>
    private sealed class Waiting(PostgresRenewal asked, CancellationToken cancellationToken)
    {
        private readonly TaskCompletionSource<bool> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal readonly PostgresRenewal Asked = asked;
        internal readonly CancellationToken Token = cancellationToken;
        internal Together? Together; // set when it is taken; guarded by the gate, as the next
        internal bool HasLeft;

        internal Task<bool> Answer => _answer.Task;

        internal void Tell(bool isHeld) => _answer.TrySetResult(isHeld);

        internal void Fail(Exception error)
        {
            if (_answer.TrySetException(error)) _ = _answer.Task.Exception; // seen, also if the caller has left
        }
    }

    /// <summary>Those that go in one statement.</summary>
    [SuppressMessage("Design", "CA1001", Justification = "A source without a timer and a wait handle holds nothing to be given back.")]
    private sealed class Together
    {
        private readonly CancellationTokenSource _allHaveLeft = new();

        internal Together(List<Waiting> members)
        {
            Members = members.ToArray();
            StillWaiting = members.Count;
            foreach (Waiting member in members) member.Together = this;
        }

        internal ArraySegment<Waiting> Members { get; }

        internal CancellationToken AllHaveLeft => _allHaveLeft.Token;

        internal int StillWaiting { get; set; }

        internal void Cancel() => _allHaveLeft.Cancel();
    }
}

using System.Runtime.ExceptionServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.EntityFrameworkCore;

/// <summary>One operation with all its attempts: which of them may be repeated, when it must be verified, and what the caller is told.</summary>
internal abstract class DatabaseCall
{
    private const string IsUnknown = "whether it was applied is not known", IsApplied = "a part of it was committed";
    private const string IsOfCaller = "it stands inside a transaction of the caller";
    private const string IsAccepted = "the context has taken changes for saved that were rolled back: use InTransactionAsync, or make a context inside";

    private readonly DatabaseResilience _resilience;
    private readonly DbContext _context;
    private readonly IRepeatableOperation? _ours;
    private readonly bool _canVerify;
    private bool _mustVerify; // nothing but the question itself has failed since: it is asked again before anything is repeated
    private AttemptEnd _worst; // of all attempts: what the caller has to know

    private protected DatabaseCall(ResilienceExecutionStrategy strategy, object? state, bool canVerify)
    {
        Strategy = strategy;
        _resilience = strategy.Resilience;
        _context = strategy.Context;
        _ours = state as IRepeatableOperation;
        _canVerify = canVerify;
    }

    private protected ResilienceExecutionStrategy Strategy { get; }

    private protected bool MustVerify => _mustVerify;

    /// <summary>What the attempt that begins now sends is noted here.</summary>
    private protected OperationNotes Begin()
    {
        OperationNotes notes = new();
        if (_context.Database.CurrentTransaction is { } open) notes.Began(_context.Database.GetDbConnection(), open.GetDbTransaction());
        return notes;
    }

    /// <summary>The attempt has failed. True: it may have been applied, or one before it, and the caller has said how to find out.</summary>
    private protected bool Fail(OperationNotes notes, Exception error, ResilienceContext call, out AttemptEnd end)
    {
        end = notes.End(error);
        if (end == AttemptEnd.Unknown) _ours?.KeepResult();
        if (end != AttemptEnd.NotApplied && _worst != AttemptEnd.Unknown) _worst = end;
        return _canVerify && _worst == AttemptEnd.Unknown && !call.CancellationToken.IsCancellationRequested;
    }

    /// <summary>The question was answered with no, or could not be asked: then the next attempt begins with it.</summary>
    private protected void NotVerified(bool wasAsked) => _mustVerify = !wasAsked;

    /// <summary>Says to the pipeline whether the attempt may be repeated.</summary>
    private protected void Conclude(OperationNotes notes, AttemptEnd end, ResilienceContext call)
    {
        if (ObjectionTo(notes, end) is { } objection) call.ForbidRetry(objection);
        else if (end == AttemptEnd.NotApplied) call.ReportNotApplied();
    }

    /// <summary>The exception as the pipeline gives it. It tells the caller what its type does not: that the operation, or a part of it, may have been
    /// applied.</summary>
    private protected TResult Throw<TResult>(Exception error)
    {
        if (_worst != AttemptEnd.NotApplied) Tell(error, _worst == AttemptEnd.Unknown ? DatabaseResilience.UnknownOutcome : DatabaseResilience.PartlyApplied);
        ExceptionDispatchInfo.Throw(error);
        return default!;
    }

    private static void Tell(Exception error, string outcome)
    {
        try
        {
            error.Data[DatabaseResilience.OutcomeKey] = outcome;
        }
        catch (Exception)
        {
            // An exception of others that keeps no data.
        }
    }

    private string? ObjectionTo(OperationNotes notes, AttemptEnd end)
    {
        bool mayBeDoneTwice = _ours is { IsRepeatable: true };
        if (IsAlive(_context) && _context.Database.CurrentTransaction is not null) return IsOfCaller;
        if (end == AttemptEnd.Applied && !mayBeDoneTwice) return IsApplied;
        if (end == AttemptEnd.Unknown && !mayBeDoneTwice && !_canVerify && !_resilience.RepeatsUnknownCommits) return IsUnknown;
        return Array.Exists(notes.ContextsThatAccepted(), c => c != _ours?.Forgets && IsAlive(c)) ? IsAccepted : null;
    }

    /// <summary>A context that was made for the attempt is gone with it, and what it believes does not matter.</summary>
    private static bool IsAlive(DbContext context)
    {
        try
        {
            return context.ChangeTracker is not null;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }
}

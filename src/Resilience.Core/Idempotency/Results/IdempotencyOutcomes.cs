using System.Collections.Immutable;
using System.Collections.ObjectModel;
using System.ComponentModel.DataAnnotations;
using System.Net.Sockets;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>The table that says what is done with the key for each outcome. Immutable and thread-safe; each method returns a new table.</summary>
/// <remarks>
/// <para>Rules are asked in the order in which they were added; the first that answers wins. Then the defaults speak:</para>
/// <list type="bullet">
/// <item><see cref="Verdict.Success"/>, and results that are <see cref="Verdict.Ignored"/> (the request was wrong and stays wrong): keep;</item>
/// <item>anything else after <see cref="IdempotencyClaim.PassPointOfNoReturn"/>: keep as unknown;</item>
/// <item>what says that nothing was begun, and was the only attempt: release. That is <see cref="Verdict.Rejected"/> (a rejection of ours, also one
/// inside another exception), a connection that was never made (rejected, no such host, a handshake that failed) and a
/// <see cref="ValidationException"/>. Inner exceptions are looked at: one that wraps such an exception says the same;</item>
/// <item>everything else, every other exception and results that are a <see cref="Verdict.Failure"/>: hold, it may have been done.</item>
/// </list>
/// <para>The safe side is the default: a user who knows that an exception means that nothing was done says so with
/// <see cref="On{TException}(IdempotencyDisposition)"/>.</para>
/// <para>A rule that throws is passed over and counted in <c>resilience.callback.errors</c>.</para>
/// </remarks>
public sealed class IdempotencyOutcomes
{
    private readonly ImmutableArray<Func<Exception, IdempotencyDisposition?>> _exceptionRules;
    private readonly ImmutableArray<(Type Result, Delegate Rule)> _resultRules;

    private IdempotencyOutcomes(ImmutableArray<Func<Exception, IdempotencyDisposition?>> exceptionRules, ImmutableArray<(Type, Delegate)> resultRules)
    {
        _exceptionRules = exceptionRules;
        _resultRules = resultRules;
    }

    /// <summary>The defaults alone.</summary>
    public static IdempotencyOutcomes Default { get; } = new([], []);

    /// <summary>Exceptions of this type (or derived) are treated so.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The disposition is undefined.</exception>
    public IdempotencyOutcomes On<TException>(IdempotencyDisposition disposition)
        where TException : Exception
    {
        if (!Enum.IsDefined(disposition)) throw new ArgumentOutOfRangeException(nameof(disposition), disposition, "There is no such disposition.");
        return On<TException>(_ => disposition);
    }

    /// <summary>Exceptions of this type (or derived) are judged by the rule; null leaves them to the next rule.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rule"/> is null.</exception>
    public IdempotencyOutcomes On<TException>(Func<TException, IdempotencyDisposition?> rule)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(rule);
        return new(_exceptionRules.Add(e => e is TException typed ? rule(typed) : null), _resultRules);
    }

    /// <summary>Results of exactly this type are judged by the rule; null leaves them to the next rule.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rule"/> is null.</exception>
    public IdempotencyOutcomes OnResult<T>(Func<T, IdempotencyDisposition?> rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        return new(_exceptionRules, _resultRules.Add((typeof(T), rule)));
    }

    /// <summary>What is done with the key of a call that threw this, by the rules and then by the defaults: for those who run the call themselves.</summary>
    /// <param name="error">What the call threw.</param>
    /// <param name="isPastPointOfNoReturn">Whether <see cref="IdempotencyClaim.PassPointOfNoReturn"/> was called.</param>
    /// <exception cref="ArgumentNullException"><paramref name="error"/> is null.</exception>
    public IdempotencyDisposition DispositionOf(Exception error, bool isPastPointOfNoReturn)
    {
        ArgumentNullException.ThrowIfNull(error);
        if (AskException(error) is { } ruled) return ruled;
        if (isPastPointOfNoReturn) return IdempotencyDisposition.KeepAsOutcomeUnknown;
        return SaysNothingWasBegun(error) ? IdempotencyDisposition.Release : IdempotencyDisposition.Hold;
    }

    /// <summary>Judges the outcome of a call.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="isPastPointOfNoReturn">Whether the point of no return was passed.</param>
    /// <param name="wasRepeated">Whether this was not the only attempt: what the last one says, says nothing of those before it.</param>
    internal IdempotencyDisposition Judge<T>(in Outcome<T> outcome, bool isPastPointOfNoReturn, bool wasRepeated = false) =>
        (outcome.HasResult ? AskResult(outcome.RawValue!) : AskException(outcome.Error as Exception)) ?? ByDefault(outcome, isPastPointOfNoReturn, wasRepeated);

    private static IdempotencyDisposition ByDefault<T>(in Outcome<T> outcome, bool isPastPointOfNoReturn, bool wasRepeated)
    {
        if (outcome.IsSuccess || (outcome.HasResult && outcome.Verdict == Verdict.Ignored)) return IdempotencyDisposition.Keep;
        if (isPastPointOfNoReturn) return IdempotencyDisposition.KeepAsOutcomeUnknown;
        bool wasNotBegun = outcome.Verdict == Verdict.Rejected || (outcome.Error is Exception error && SaysNothingWasBegun(error));
        return wasNotBegun && !wasRepeated ? IdempotencyDisposition.Release : IdempotencyDisposition.Hold;
    }

    private static bool SaysNothingWasBegun(Exception error)
    {
        ExceptionWalk walk = default;
        return SaysNothingWasBegun(error, ref walk);
    }

    /// <summary>Also false where more would have to be looked at than we do: something may have been begun.</summary>
    private static bool SaysNothingWasBegun(Exception error, ref ExceptionWalk walk) => walk.Enter() && error switch
    {
        // Something was under way and was cut off, whatever it was that cut it off.
        OperationCanceledException or TimeoutException => false,
        ResilienceException or ValidationException => true,
        ICarriesRejection carrier when SafeRejection.Of(carrier) is not null => true, // one without a rejection carries a timeout
        SocketException socket => socket.SocketErrorCode is
            SocketError.ConnectionRefused or SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData or SocketError.NoRecovery,
        HttpRequestException { HttpRequestError: not HttpRequestError.Unknown } http => http.HttpRequestError is
            HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
            or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError,
        AggregateException several => SayNothingWasBegun(several.InnerExceptions, ref walk),
        _ => error.InnerException is { } inner && SaysNothingWasBegun(inner, ref walk),
    };

    private static bool SayNothingWasBegun(ReadOnlyCollection<Exception> errors, ref ExceptionWalk walk)
    {
        for (int i = 0; i < errors.Count; i++)
        {
            if (!SaysNothingWasBegun(errors[i], ref walk)) return false;
        }

        return errors.Count > 0;
    }

    private IdempotencyDisposition? AskResult<T>(T result)
    {
        foreach ((Type type, Delegate rule) in _resultRules)
        {
            if (type == typeof(T) && Ask((Func<T, IdempotencyDisposition?>)rule, result) is { } disposition) return disposition;
        }

        return null;
    }

    private IdempotencyDisposition? AskException(Exception? exception)
    {
        if (exception is null) return null;
        foreach (Func<Exception, IdempotencyDisposition?> rule in _exceptionRules)
        {
            if (Ask(rule, exception) is { } disposition) return disposition;
        }

        return null;
    }

    private static IdempotencyDisposition? Ask<TArg>(Func<TArg, IdempotencyDisposition?> rule, TArg argument)
    {
        try
        {
            return rule(argument);
        }
        catch (Exception error)
        {
            Safely.Report("idempotency outcome rule", error);
            return null;
        }
    }
}

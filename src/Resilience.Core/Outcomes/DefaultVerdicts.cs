using System.Data.Common;
using System.Net.Sockets;
using System.Reflection;
using System.Security.Authentication;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What exceptions mean where no rule speaks: cancellation, sockets, files, HTTP errors, databases, errors of the program. The type of
/// an exception alone never proves that nothing was done.</summary>
internal static class DefaultVerdicts
{
    private const int DeepestWrapping = 16;

    private static readonly Classification NotTheirHealth = new(Verdict.Failure) { Counts = false };

    /// <summary>The rules, then the same for what a wrapper wraps, then the defaults. One that wraps more than we look at is judged like one that wraps
    /// nothing.</summary>
    internal static Classification Judge(Exception exception, OutcomeClassifier rules)
    {
        ExceptionWalk walk = default;
        return Judge(exception, rules, 0, ref walk) ?? OfBare(exception);
    }

    /// <summary>Null: more than we look at.</summary>
    private static Classification? Judge(Exception exception, OutcomeClassifier rules, int depth, ref ExceptionWalk walk)
    {
        if (!walk.Enter()) return null;
        if (rules.AskRules(exception) is { } ruled) return ruled;
        return depth < DeepestWrapping && IsWrapper(exception) ? Opened(exception, rules, depth + 1, ref walk) : OfBare(exception);
    }

    private static bool IsWrapper(Exception exception) => exception switch
    {
        { InnerException: null } => false,
        AggregateException or TargetInvocationException or TypeInitializationException => true,
        // A strategy of EF Core, or of a provider for it.
        InvalidOperationException => Safely.SourceOf(exception).Contains("EntityFrameworkCore", StringComparison.Ordinal),
        _ => IsNamed(exception, DatabaseVerdicts.Update) || IsNamed(exception, DatabaseVerdicts.OutOfRetries),
    };

    private static bool IsOfEntityFramework(Exception exception) =>
        Safely.SourceOf(exception).StartsWith("Microsoft.EntityFrameworkCore", StringComparison.Ordinal);

    private static Classification? Opened(Exception wrapper, OutcomeClassifier rules, int depth, ref ExceptionWalk walk)
    {
        if (wrapper is AggregateException several)
        {
            if (several.InnerExceptions.Count == 1 || !IsReportOfRetries(several)) return OfAll(several, rules, depth, ref walk);
            return Judge(several.InnerExceptions[^1], rules, depth, ref walk) is { } last ? last with { MayRepeat = false } : null;
        }

        Classification? wrapped = Judge(wrapper.InnerException!, rules, depth, ref walk);
        return wrapped is { } repeated && IsNamed(wrapper, DatabaseVerdicts.OutOfRetries) ? repeated with { MayRepeat = false } : wrapped;
    }

    /// <summary>All of one verdict: that. It counts if one does, is repeated if all may be, and was not applied if none was. Of several verdicts:
    /// the defaults, which call an unknown exception a failure.</summary>
    private static Classification? OfAll(AggregateException several, OutcomeClassifier rules, int depth, ref ExceptionWalk walk)
    {
        if (Judge(several.InnerExceptions[0], rules, depth, ref walk) is not { } all) return null;
        for (int i = 1; i < several.InnerExceptions.Count; i++)
        {
            if (Judge(several.InnerExceptions[i], rules, depth, ref walk) is not { } one) return null;
            if (one.Verdict != all.Verdict) return OfBare(several);
            all = all with
            {
                Counts = all.Counts || one.Counts,
                MayRepeat = all.MayRepeat && one.MayRepeat,
                NotApplied = all.NotApplied && one.NotApplied,
                RetryAfter = one.RetryAfter > all.RetryAfter || all.RetryAfter is null ? one.RetryAfter : all.RetryAfter,
            };
        }

        return all;
    }

    /// <summary>How Azure.Core, System.ClientModel and Kiota end when their own retries have come to nothing.</summary>
    private static bool IsReportOfRetries(AggregateException several)
    {
        string message = Safely.MessageOf(several);
        return message.StartsWith("Retry failed after ", StringComparison.OrdinalIgnoreCase)
            || message.StartsWith("Too many retries performed", StringComparison.OrdinalIgnoreCase);
    }

    private static Classification OfBare(Exception exception) => exception switch
    {
        ResilienceException => Verdict.Rejected,
        ICarriesRejection carrier when SafeRejection.Of(carrier) is not null => Verdict.Rejected,
        OperationCanceledException or TimeoutException => Verdict.Failure,
        HttpRequestException http => HttpVerdicts.Of(http),
        SocketException socket => OfSocket(socket.SocketErrorCode),
        IOException io => OfFile(io),
        AuthenticationException or UnauthorizedAccessException => Verdict.Ignored,
        DbException database => DatabaseVerdicts.Of(database),
        ArgumentException or NotSupportedException or NotImplementedException or NullReferenceException or InvalidCastException
            or IndexOutOfRangeException or ObjectDisposedException or FormatException or KeyNotFoundException => Verdict.Ignored,
        InvalidOperationException when IsOfEntityFramework(exception) || ProgramError.Is(exception) => Verdict.Ignored,
        _ when IsNamed(exception, DatabaseVerdicts.Conflict) => Verdict.Ignored, // read again first
        _ => IsRejectionOfPolly(exception) ? Verdict.Rejected : Verdict.Failure,
    };

    internal static Classification OfSocket(SocketError error) => error switch
    {
        // We are ill, not they.
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AddressNotAvailable or SocketError.ProcessLimit => NotTheirHealth,
        SocketError.AccessDenied or SocketError.AddressAlreadyInUse or SocketError.AddressFamilyNotSupported or SocketError.ProtocolNotSupported
            or SocketError.ProtocolFamilyNotSupported or SocketError.ProtocolOption or SocketError.ProtocolType or SocketError.OperationNotSupported
            or SocketError.SocketNotSupported or SocketError.InvalidArgument or SocketError.Fault or SocketError.NotSocket or SocketError.MessageSize
            or SocketError.DestinationAddressRequired or SocketError.VersionNotSupported or SocketError.NotInitialized
            or SocketError.AlreadyInProgress or SocketError.IsConnected or SocketError.TypeNotFound => Verdict.Ignored,
        _ => Verdict.Failure,
    };

    private static Classification OfFile(IOException io)
    {
        if (io is FileNotFoundException or DirectoryNotFoundException or PathTooLongException or DriveNotFoundException) return Verdict.Ignored;
        if (Inside<SocketException>(io) is { } socket) return OfSocket(socket.SocketErrorCode);
        if (IoErrors.IsInUse(io.HResult)) return NotTheirHealth;
        return IoErrors.IsDiskFull(io.HResult) ? Classification.Permanent : Verdict.Failure;
    }

    /// <summary>The first of this type among what the exception wraps.</summary>
    internal static TException? Inside<TException>(Exception exception)
        where TException : Exception
    {
        Exception? inner = exception.InnerException;
        for (int depth = 0; inner is not null && depth < DeepestWrapping; depth++, inner = inner.InnerException)
        {
            if (inner is TException found) return found;
        }

        return null;
    }

    /// <summary>All but the one that says that its own time was up, which is a failure as ours is.</summary>
    private static bool IsRejectionOfPolly(Exception exception) =>
        IsNamed(exception, "Polly.ExecutionRejectedException") && !IsNamed(exception, "Polly.Timeout.TimeoutRejectedException");

    /// <summary>Types of packages that the core does not know are known by name; so are those derived from them.</summary>
    private static bool IsNamed(Exception exception, string fullName)
    {
        for (Type? type = exception.GetType(); type is not null && type != typeof(Exception); type = type.BaseType)
        {
            if (type.FullName == fullName) return true;
        }

        return false;
    }
}

/// <summary>Errors of files by number. On Windows an HRESULT; elsewhere the framework puts the system's own number there.</summary>
internal static class IoErrors
{
    internal const int SharingViolation = unchecked((int)0x80070020);
    internal const int LockViolation = unchecked((int)0x80070021);
    internal const int HandleDiskFull = unchecked((int)0x80070027);
    internal const int DiskFull = unchecked((int)0x80070070);

    private static readonly int TryAgain = OperatingSystem.IsMacOS() || OperatingSystem.IsFreeBSD() ? 35 : 11; // EAGAIN
    private const int NoSpace = 28; // ENOSPC

    internal static bool IsInUse(int hresult) =>
        hresult is SharingViolation or LockViolation || (!OperatingSystem.IsWindows() && hresult == TryAgain);

    internal static bool IsDiskFull(int hresult) =>
        hresult is DiskFull or HandleDiskFull || (!OperatingSystem.IsWindows() && hresult == NoSpace);
}

/// <summary>Errors of the code that uses us which have to be told from others of their type: a delegate that returned null instead of a task.</summary>
internal static class ProgramError
{
    private static readonly object Mark = typeof(ProgramError);

    internal static InvalidOperationException Make(string message) => new(message) { Data = { [Mark] = true } };

    internal static bool Is(Exception exception) =>
        exception.GetType() == typeof(InvalidOperationException) && exception.Data.Contains(Mark);
}

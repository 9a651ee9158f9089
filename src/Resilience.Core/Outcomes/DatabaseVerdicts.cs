using System.Data.Common;
using System.Net.Sockets;
using System.Security.Authentication;
using Resilience.Transports;

namespace Resilience;

/// <summary>What the errors of databases mean: by their SQLSTATE where they have one. That <see cref="DbException.IsTransient"/> is not set says nothing,
/// because most providers never set it.</summary>
internal static class DatabaseVerdicts
{
    /// <summary>Types of EF Core, by name.</summary>
    internal const string Update = "Microsoft.EntityFrameworkCore.DbUpdateException";
    internal const string Conflict = "Microsoft.EntityFrameworkCore.DbUpdateConcurrencyException";
    internal const string OutOfRetries = "Microsoft.EntityFrameworkCore.Storage.RetryLimitExceededException";

    internal static Classification Of(DbException exception) => SqlStates.Judge(StateOf(exception)) switch
    {
        { Verdict: Verdict.Failure } failure => failure,
        { } answer when !IsTransient(exception) => answer,
        null => OfBroken(exception),
        _ => Verdict.Failure,
    };

    private static string? StateOf(DbException exception) => Safely.Ask("exception SqlState", static e => e.SqlState, exception, null);

    private static bool IsTransient(DbException exception) => Safely.Ask("exception IsTransient", static e => e.IsTransient, exception, false);

    /// <summary>The server has said nothing: what lies inside tells whether it is ill, or we are, or whether it is not the server that was asked for.</summary>
    private static Classification OfBroken(DbException exception)
    {
        if (IsTransient(exception)) return Verdict.Failure;
        if (DefaultVerdicts.Inside<AuthenticationException>(exception) is not null) return Verdict.Ignored;
        return DefaultVerdicts.Inside<SocketException>(exception) is { } socket && DefaultVerdicts.OfSocket(socket.SocketErrorCode) is { Counts: false } ours
            ? ours
            : Verdict.Failure;
    }
}

using System.Data;
using System.Data.Common;

namespace Resilience;

/// <summary>Opens connections of ADO.NET through a pipeline. While a connection is opened nothing is executed, so every failure may be repeated.</summary>
/// <remarks>Commands have no such methods: what was sent may have been carried out, and only your code knows whether it may be sent again. Where it
/// may, put the whole transaction into the pipeline, with the opening in it.</remarks>
public static class DatabaseConnectionExtensions
{
    /// <summary>An open connection of this source. With a pool it may be one that was used before: whether it is still alive shows when it is used.</summary>
    /// <param name="source">The source.</param>
    /// <param name="pipeline">What repeats, and when.</param>
    /// <param name="cancellationToken">Cancels the opening and every wait.</param>
    /// <exception cref="ArgumentNullException"><paramref name="source"/> or <paramref name="pipeline"/> is null.</exception>
    public static ValueTask<DbConnection> OpenAsync(this DbDataSource source, ResiliencePipeline pipeline, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(pipeline);
        return pipeline.ExecuteAsync(
            default(CallOptions),
            static (call, from) => WhileOpeningAsync(call, from, static (s, token) => s.OpenConnectionAsync(token)),
            source,
            cancellationToken);
    }

    /// <inheritdoc cref="OpenAsync(DbDataSource, ResiliencePipeline, CancellationToken)"/>
    public static DbConnection Open(this DbDataSource source, ResiliencePipeline pipeline)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(pipeline);
        return pipeline.Execute(default, static (call, from) => WhileOpening(call, from, static s => s.OpenConnection()), source);
    }

    /// <summary>Opens this connection. One that is broken is closed before.</summary>
    /// <param name="connection">The connection. A pipeline that hedges would open it twice at once: give it the source instead.</param>
    /// <param name="pipeline">What repeats, and when.</param>
    /// <param name="cancellationToken">Cancels the opening and every wait.</param>
    /// <returns>The connection.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="connection"/> or <paramref name="pipeline"/> is null.</exception>
    public static ValueTask<TConnection> OpenAsync<TConnection>(
        this TConnection connection, ResiliencePipeline pipeline, CancellationToken cancellationToken = default)
        where TConnection : DbConnection
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(pipeline);
        return pipeline.ExecuteAsync(
            default(CallOptions),
            static (call, closed) => WhileOpeningAsync(call, closed, static async (c, token) =>
            {
                if (c.State == ConnectionState.Broken) await c.CloseAsync().ConfigureAwait(false);
                await c.OpenAsync(token).ConfigureAwait(false);
                return c;
            }),
            connection,
            cancellationToken);
    }

    /// <inheritdoc cref="OpenAsync{TConnection}(TConnection, ResiliencePipeline, CancellationToken)"/>
    public static TConnection Open<TConnection>(this TConnection connection, ResiliencePipeline pipeline)
        where TConnection : DbConnection
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(pipeline);
        return pipeline.Execute(
            default,
            static (call, closed) => WhileOpening(call, closed, static c =>
            {
                if (c.State == ConnectionState.Broken) c.Close();
                c.Open();
                return c;
            }),
            connection);
    }

    private static async ValueTask<T> WhileOpeningAsync<TFrom, T>(
        ResilienceContext call, TFrom from, Func<TFrom, CancellationToken, ValueTask<T>> open)
    {
        try
        {
            return await open(from, call.CancellationToken).ConfigureAwait(false);
        }
        catch
        {
            call.ReportNotApplied();
            throw;
        }
    }

    private static T WhileOpening<TFrom, T>(ResilienceContext call, TFrom from, Func<TFrom, T> open)
    {
        try
        {
            return open(from);
        }
        catch
        {
            call.ReportNotApplied();
            throw;
        }
    }
}

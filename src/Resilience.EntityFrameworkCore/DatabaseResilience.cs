using System.Collections.Concurrent;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.EntityFrameworkCore;

/// <summary>What the contexts of one registration share: a pipeline for each server and database. Thread-safe; make one, keep it, share it.</summary>
/// <remarks>In a container <c>UseResilience(services, name)</c> makes it. Without one, make it yourself, once for each type of context.</remarks>
public sealed class DatabaseResilience
{
    /// <summary>The key in <see cref="Exception.Data"/> under which the exception of an operation tells that it may have been applied, or a part of it:
    /// <see cref="UnknownOutcome"/> or <see cref="PartlyApplied"/>. Nothing stands there where it is known that nothing was applied.</summary>
    public const string OutcomeKey = "Resilience.Outcome";

    /// <summary>COMMIT, or a statement outside of a transaction, was sent and its answer did not come: it was applied, or it was not.</summary>
    public const string UnknownOutcome = "unknown";

    /// <summary>A part of the operation was committed before the rest failed.</summary>
    public const string PartlyApplied = "partly applied";

    private const int MaxPipelines = 1000;

    private static readonly (string Server, string Database) Others = ("others", "");

    private static readonly string[] SqliteFile = ["Data Source", "DataSource", "Filename"];

    private readonly ConcurrentDictionary<(string Server, string Database), DatabasePipeline> _pipelines = [];
    private readonly Func<string, ResiliencePipeline> _make;

    /// <summary>Contexts without a container.</summary>
    /// <param name="name">The name of the pipelines, before the server and the database.</param>
    /// <param name="build">Adds the policies. Runs once for each server and database. Default null: those of
    /// <see cref="DatabasePipelineBuilderExtensions.AddDatabasePolicies{TBuilder}(TBuilder)"/>.</param>
    /// <param name="options">Default null: as they come.</param>
    /// <exception cref="ArgumentException"><paramref name="name"/> is null or empty.</exception>
    public DatabaseResilience(string name, Action<ResiliencePipelineBuilder>? build = null, DatabaseResilienceOptions? options = null)
        : this(name, partition => Build($"{name} {partition}", build), options)
    {
    }

    internal DatabaseResilience(string name, Func<string, ResiliencePipeline> make, DatabaseResilienceOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Name = name;
        _make = make;
        RepeatsUnknownCommits = options is { RepeatUnknownCommits: true };
        AllowsDriverRetries = options is { AllowDriverRetries: true };
    }

    /// <summary>The name of the pipelines, before the server and the database.</summary>
    public string Name { get; }

    /// <summary>The pipelines that were made so far, in no order.</summary>
    public IReadOnlyCollection<ResiliencePipeline> Pipelines => [.. _pipelines.Values.Select(p => p.Pipeline).Distinct()];

    internal bool RepeatsUnknownCommits { get; }

    /// <summary>The pipeline of this server and database, as <see cref="DbConnection.DataSource"/> and <see cref="DbConnection.Database"/> name them. Beyond
    /// a thousand they share one.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="InvalidOperationException">The pipeline runs attempts beside each other, which a context does not allow.</exception>
    public ResiliencePipeline For(string server, string database)
    {
        ArgumentNullException.ThrowIfNull(server);
        ArgumentNullException.ThrowIfNull(database);
        return Find(server, database).Pipeline;
    }

    internal bool AllowsDriverRetries { get; }

    /// <exception cref="InvalidOperationException">The driver repeats below the pipeline.</exception>
    internal DatabasePipeline For(DbContext context)
    {
        DbConnection connection = ConnectionOf(context);
        DatabasePipeline found = Find(connection);
        if (found.Repeats && !AllowsDriverRetries) DriverRetries.ThrowIfAny(connection, found.Pipeline.Name);
        return found;
    }

    /// <summary>Whether the pipeline of this context repeats. EF Core asks while it makes the services of a context, which may not have been told yet
    /// where its database is: then it is taken to repeat, because that is the more careful answer.</summary>
    internal bool Repeats(DbContext context)
    {
        try
        {
            DbConnection connection = ConnectionOf(context);
            return ServerOf(connection).Length == 0 || Find(connection).Repeats;
        }
        catch (InvalidOperationException) when (_pipelines.IsEmpty)
        {
            return true; // the provider makes no connection without a connection string, and will say so when it is used
        }
    }

    /// <summary>Not by way of <see cref="DbContext.Database"/>, whose services are made with the strategy.</summary>
    private static DbConnection ConnectionOf(DbContext context) => context.GetService<IRelationalConnection>().DbConnection;

    private DatabasePipeline Find(DbConnection connection) => Find(ServerOf(connection), connection.Database);

    /// <summary>SQLite names its file otherwise as soon as it is open: there the connection string counts.</summary>
    private static string ServerOf(DbConnection connection)
    {
        if (connection.GetType().Name != "SqliteConnection") return connection.DataSource;
        DbConnectionStringBuilder parts = new() { ConnectionString = connection.ConnectionString };
        string?[] files = Array.ConvertAll(SqliteFile, key => parts.TryGetValue(key, out object? file) ? file as string : null);
        return Array.Find(files, static file => file is not null) ?? "";
    }

    private DatabasePipeline Find(string server, string database)
    {
        if (_pipelines.TryGetValue((server, database), out DatabasePipeline? known)) return known;
        (string Server, string Database) key = _pipelines.Count < MaxPipelines ? (server, database) : Others;

        // Two that ask at once may both make one; the pipeline that is found is the same for all.
        return _pipelines.GetOrAdd(key, k => new DatabasePipeline(_make(k.Database.Length == 0 ? k.Server : $"{k.Server}/{k.Database}")));
    }

    private static ResiliencePipeline Build(string name, Action<ResiliencePipelineBuilder>? build)
    {
        ResiliencePipelineBuilder builder = new() { Name = name };
        build?.Invoke(builder);
        Complete(builder, hasPolicies: build is not null);
        return builder.Build();
    }

    /// <summary>The table comes last: it knows the rules that were written before it.</summary>
    internal static void Complete(ResiliencePipelineBuilder builder, bool hasPolicies)
    {
        if (!hasPolicies) builder.AddDatabasePolicies();
        builder.Classify(static rules => rules.EntityFrameworkCore());
    }
}

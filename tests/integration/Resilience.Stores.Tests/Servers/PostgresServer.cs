using Npgsql;
using Resilience.Tests.Support;

namespace Resilience.StoreTests.Servers;

/// <summary>A real PostgreSQL on a free port of the loopback, with its data in a temporary folder. Gone when disposed.</summary>
[Requires(Tool.PostgreSql)]
public sealed class PostgresServer : IAsyncLifetime
{
    private const int Interrupt = 2; // "fast shutdown"
    private readonly bool _durable;
    private readonly SteppedClock? _clock;
    private readonly string[] _settings = [];
    private string? _primary; // of a standby: how it reaches the one that it copies
    private readonly string _folder = Directory.CreateTempSubdirectory("resilience-pg").FullName;
    private ServerProcess? _server;

    /// <summary>For tests that do not kill it: nothing is flushed.</summary>
    public PostgresServer() : this(durable: false)
    {
    }

    internal PostgresServer(bool durable, SteppedClock? clock = null) => (_durable, _clock) = (durable, clock);

    /// <summary>With settings of its own ("name=value"), which count before ours.</summary>
    internal PostgresServer(params string[] settings) => _settings = settings;

    /// <summary>A standby that copies the server at this port and goes on receiving what that one writes.</summary>
    internal static PostgresServer StandbyOf(int port, string name) => new() { _primary = $"host=127.0.0.1 port={port} user=postgres application_name={name}" };

    internal int Port { get; private set; }

    internal string ConnectionString => ConnectionStringAt(Port);

    private string Data => Path.Combine(_folder, "data");

    private static bool IsRoot => Environment.UserName == "root";

    public async Task InitializeAsync()
    {
        if (Requirements.AreMissingFor(typeof(PostgresServer))) return;
        Own(_folder);
        if (_primary is null) Run("initdb", "-D", Data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync");
        else Run("pg_basebackup", "-D", Data, "-d", _primary, "-R", "-X", "stream", "-c", "fast", "--no-sync");
        Port = ServerProcess.FreePort();
        await StartAgainAsync();
    }

    public Task DisposeAsync()
    {
        _server?.Signal(Interrupt);
        _server?.Dispose();
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    internal string ConnectionStringAt(int port) => $"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres;Timeout=5;Command Timeout=20;Cancellation Timeout=200";

    internal NpgsqlDataSource Connect() => NpgsqlDataSource.Create(ConnectionString);

    /// <summary>The power goes out.</summary>
    internal void KillHard()
    {
        _server!.KillHard();
        _server.Dispose();
        _server = null;
    }

    /// <summary>Starts on the same data and port. After a kill, children may still hold the shared memory for a moment: the first start can fail.</summary>
    internal async Task StartAgainAsync()
    {
        for (int attempt = 1; ; attempt++)
        {
            _server = Start();
            try
            {
                await _server.UntilReadyAsync(AnswersAsync);
                return;
            }
            catch (InvalidOperationException) when (attempt < 20)
            {
                _server.Dispose();
                await Task.Delay(100);
            }
        }
    }

    internal async Task ExecuteAsync(string sql)
    {
        await using NpgsqlConnection connection = new(ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    internal async Task<object?> AskAsync(string sql)
    {
        await using NpgsqlConnection connection = new(ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    private ServerProcess Start()
    {
        string durable = _durable ? "on" : "off";
        (string program, string[] arguments) = Command(
            "postgres",
            [
                "-D", Data, "-p", $"{Port}", "-k", _folder, "-c", "listen_addresses=127.0.0.1", "-c", $"fsync={durable}",
                "-c", $"synchronous_commit={durable}", "-c", $"full_page_writes={durable}", "-c", "max_connections=200", "-c", "shared_buffers=32MB",
                .. _settings.SelectMany(static setting => new[] { "-c", setting }),
            ]);
        string[] whole = [program, .. arguments];
        if (_clock is not null) whole = [.. whole[..^ArgumentsOf(whole)], .. _clock.Before, .. whole[^ArgumentsOf(whole)..]];
        return new(whole[0], whole[1..]);

        // From the program of the server on; what stands before it makes us another user.
        static int ArgumentsOf(string[] command) => command.Length - Array.FindIndex(command, part => Path.GetFileName(part) == "postgres");
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            await AskAsync("SELECT 1");
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        (string first, string[] rest) = Command(program, arguments);
        ServerProcess.Run(first, rest);
    }

    /// <summary>PostgreSQL rejects to run as root.</summary>
    private static (string Program, string[] Arguments) Command(string program, params string[] arguments)
    {
        string found = ServerProcess.Find(program, "postgresql", InstalledFolders());
        return IsRoot ? ("setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", found, .. arguments]) : (found, arguments);
    }

    /// <summary>Every version has a folder of its own; the newest comes first.</summary>
    private static IEnumerable<string> InstalledFolders()
    {
        const string Root = "/usr/lib/postgresql";
        if (!Directory.Exists(Root)) return [];
        return Directory.GetDirectories(Root).OrderByDescending(f => int.TryParse(Path.GetFileName(f), out int version) ? version : 0).Select(f => Path.Combine(f, "bin"));
    }

    private static void Own(string folder)
    {
        if (IsRoot) ServerProcess.Run("chown", "postgres:postgres", folder);
    }
}

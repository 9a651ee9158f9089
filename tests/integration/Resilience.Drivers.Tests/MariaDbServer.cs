using MySqlConnector;
using Resilience.StoreTests.Servers;

namespace Resilience.DriverTests;

/// <summary>A real MariaDB on a free port of the loopback, with its data in a temporary folder. Gone when disposed.</summary>
[Requires(Tool.MariaDb)]
public sealed class MariaDbServer : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("resilience-maria").FullName;
    private ServerProcess? _server;

    internal int Port { get; private set; }

    internal string ConnectionString => $"Server=127.0.0.1;Port={Port};User ID=root;Database=test;Pooling=false;Connection Timeout=20;Default Command Timeout=20";

    private static bool IsRoot => Environment.UserName == "root";

    public async Task InitializeAsync()
    {
        if (Requirements.AreMissingFor(typeof(MariaDbServer))) return;
        string data = Path.Combine(_folder, "data");
        string[] user = IsRoot ? ["--user=mysql"] : [];
        if (IsRoot) ServerProcess.Run("chown", "mysql:mysql", _folder);
        ServerProcess.Run(
            ServerProcess.Find("mariadb-install-db", "mariadb-server", []),
            ["--no-defaults", $"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-name-resolve", .. user]);
        Port = ServerProcess.FreePort();
        _server = new(
            ServerProcess.Find("mariadbd", "mariadb-server", ["/usr/sbin"]),
            [
                "--no-defaults", $"--datadir={data}", $"--port={Port}", "--bind-address=127.0.0.1", $"--socket={_folder}/sock", $"--pid-file={_folder}/pid",
                "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", .. user,
            ]);
        await _server.UntilReadyAsync(AnswersAsync);
    }

    public Task DisposeAsync()
    {
        _server?.Dispose();
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            await using MySqlConnection connection = new(ConnectionString);
            await connection.OpenAsync();
            return true;
        }
        catch (MySqlException)
        {
            return false;
        }
    }
}

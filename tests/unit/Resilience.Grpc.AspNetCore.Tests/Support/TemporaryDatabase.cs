using Microsoft.Data.Sqlite;

namespace Resilience.Tests;

/// <summary>A database of SQLite in a file of its own, gone with the test.</summary>
internal sealed class TemporaryDatabase : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"till-{Guid.NewGuid():N}.db");

    internal string ConnectionString => $"Data Source={_file}";

    /// <summary>What stands in it, and in what belongs to it.</summary>
    internal byte[] AllBytes() => [.. Files.SelectMany(File.ReadAllBytes)];

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        foreach (string file in Files) File.Delete(file);
    }

    private string[] Files => Directory.GetFiles(Path.GetDirectoryName(_file)!, Path.GetFileName(_file) + "*");
}

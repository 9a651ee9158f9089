using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>A shop in the memory of this process: real commands and transactions, without a server.</summary>
internal sealed class SqliteShop : IDisposable
{
    private readonly SqliteConnection _connection = new("Data Source=:memory:");

    internal SqliteShop()
    {
        _connection.Open();
        using Shop shop = new(new DbContextOptionsBuilder().UseSqlite(_connection).Options);
        shop.Database.EnsureCreated();
    }

    public void Dispose() => _connection.Dispose();

    internal Shop Open(DatabaseResilience resilience, params IInterceptor[] interceptors) =>
        new(new DbContextOptionsBuilder().UseSqlite(_connection).UseResilience(resilience).AddInterceptors(interceptors).Options);

    internal int CountOrders()
    {
        using SqliteCommand command = _connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM orders";
        return Convert.ToInt32(command.ExecuteScalar());
    }
}

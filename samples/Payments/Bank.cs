using Microsoft.Data.Sqlite;

namespace Resilience.PaymentsSample;

/// <summary>Where the money moves: another company's ledger, which outlives the payment service. It knows keys too: the same key, the same charge.</summary>
internal sealed class Bank
{
    private readonly string _connectionString;

    internal Bank(string folder)
    {
        _connectionString = $"Data Source={Path.Combine(folder, "ledger.db")}";
        Execute("PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS ledger (number INTEGER PRIMARY KEY, charge_key TEXT UNIQUE, order_name TEXT, cents INTEGER, asked INTEGER)");
    }

    /// <returns>The number of the charge: that of the first with this key.</returns>
    internal long Charge(string key, string order, int cents)
    {
        using SqliteConnection connection = Open();
        using SqliteCommand charge = connection.CreateCommand();
        charge.CommandText = """
            INSERT INTO ledger (charge_key, order_name, cents, asked) VALUES ($key, $order, $cents, 1)
            ON CONFLICT (charge_key) DO UPDATE SET asked = asked + 1;
            SELECT number FROM ledger WHERE charge_key = $key
            """;
        charge.Parameters.AddWithValue("$key", key);
        charge.Parameters.AddWithValue("$order", order);
        charge.Parameters.AddWithValue("$cents", cents);
        return (long)charge.ExecuteScalar()!;
    }

    /// <returns>For each order: how many charges there are, of how much, and how often the bank was asked for one of them.</returns>
    internal IReadOnlyDictionary<string, (int Charges, long Cents, int Asked)> Ledger()
    {
        using SqliteConnection connection = Open();
        using SqliteCommand read = connection.CreateCommand();
        read.CommandText = "SELECT order_name, COUNT(*), SUM(cents), SUM(asked) FROM ledger GROUP BY order_name";
        using SqliteDataReader reader = read.ExecuteReader();
        Dictionary<string, (int, long, int)> ledger = [];
        while (reader.Read()) ledger.Add(reader.GetString(0), (reader.GetInt32(1), reader.GetInt64(2), reader.GetInt32(3)));
        return ledger;
    }

    private void Execute(string statement)
    {
        using SqliteConnection connection = Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = statement;
        command.ExecuteNonQuery();
    }

    private SqliteConnection Open()
    {
        SqliteConnection connection = new(_connectionString);
        connection.Open();
        return connection;
    }
}

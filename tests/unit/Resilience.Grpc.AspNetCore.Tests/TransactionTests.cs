using System.Data.Common;
using Grpc.Core;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Tests;

/// <summary>The record of a call and the rows of its method are committed together.</summary>
public sealed class TransactionTests
{
    [Fact]
    public async Task Rows_and_answer_are_committed_together_and_a_duplicate_receives_it()
    {
        using TemporaryDatabase database = new();
        Book book = new();
        book.Answer = async (number, _, context) =>
        {
            Receipt receipt = new() { Number = number, Text = "charged" };
            context.ResponseTrailers.Add("receipt", "one");
            await using SqliteConnection connection = await OpenAsync(database);
            await using DbTransaction transaction = await connection.BeginTransactionAsync();
            await InsertAsync(connection, transaction);
            (await context.CompleteIdempotencyKeyInAsync(transaction, receipt)).Should().Be(IdempotencyFinish.Kept);
            await transaction.CommitAsync();
            context.GetIdempotencyClaim()!.Committed();
            return receipt;
        };
        await using Shop shop = await Shop.OpenAsync(book, gate: g => g.UseSqlite(database.ConnectionString));

        Reply first = await shop.ChargeAsync(), second = await shop.ChargeAsync();

        second.Should().Match<Reply>(r => r.IsReplayed && r.Receipt!.Equals(first.Receipt));
        second.Trailers.GetValue("receipt").Should().Be("one");
        (await RowsAsync(database)).Should().Be(1);
    }

    [Fact]
    public async Task What_was_rolled_back_is_not_answered_as_a_success_and_the_repetition_does_it()
    {
        using TemporaryDatabase database = new();
        Book book = new();
        book.Answer = async (number, _, context) =>
        {
            Receipt receipt = new() { Number = number };
            await using SqliteConnection connection = await OpenAsync(database);
            await using DbTransaction transaction = await connection.BeginTransactionAsync();
            await InsertAsync(connection, transaction);
            await context.CompleteIdempotencyKeyInAsync(transaction, receipt);
            if (number == 1) await transaction.RollbackAsync();
            else await transaction.CommitAsync();
            return receipt; // it does not say which of the two
        };
        await using Shop shop = await Shop.OpenAsync(book, gate: g => g.UseSqlite(database.ConnectionString));

        (await shop.ChargeAsync()).Should().Match<Reply>(r => r.Code == StatusCode.Unavailable && r.Problem == "not-committed" && r.Pushback == "1000");
        (await shop.ChargeAsync()).Should().Match<Reply>(r => !r.IsReplayed && r.Receipt!.Number == 2);
        (await shop.ChargeAsync()).Should().Match<Reply>(r => r.IsReplayed && r.Receipt!.Number == 2);
        (await RowsAsync(database)).Should().Be(1);
    }

    [Fact]
    public async Task A_message_of_another_type_is_an_error_of_the_method()
    {
        using TemporaryDatabase database = new();
        Book book = new();
        Exception? thrown = null;
        book.Answer = async (_, order, context) =>
        {
            await using SqliteConnection connection = await OpenAsync(database);
            await using DbTransaction transaction = await connection.BeginTransactionAsync();
            Func<Task> complete = async () => await context.CompleteIdempotencyKeyInAsync(transaction, order);
            thrown = (await complete.Should().ThrowAsync<ArgumentException>()).Which;
            return new();
        };
        await using Shop shop = await Shop.OpenAsync(book, gate: g => g.UseSqlite(database.ConnectionString));

        await shop.ChargeAsync();

        thrown!.Message.Should().Contain("Receipt").And.Contain("Order");
    }

    private static async Task<SqliteConnection> OpenAsync(TemporaryDatabase database)
    {
        SqliteConnection connection = new(database.ConnectionString);
        await connection.OpenAsync();
        await using SqliteCommand create = connection.CreateCommand();
        create.CommandText = "CREATE TABLE IF NOT EXISTS charges (id INTEGER PRIMARY KEY)";
        await create.ExecuteNonQueryAsync();
        return connection;
    }

    private static async Task InsertAsync(SqliteConnection connection, DbTransaction transaction)
    {
        await using SqliteCommand insert = connection.CreateCommand();
        insert.Transaction = (SqliteTransaction)transaction;
        insert.CommandText = "INSERT INTO charges DEFAULT VALUES";
        await insert.ExecuteNonQueryAsync();
    }

    private static async Task<long> RowsAsync(TemporaryDatabase database)
    {
        await using SqliteConnection connection = await OpenAsync(database);
        await using SqliteCommand count = connection.CreateCommand();
        count.CommandText = "SELECT COUNT(*) FROM charges";
        return (long)(await count.ExecuteScalarAsync())!;
    }
}

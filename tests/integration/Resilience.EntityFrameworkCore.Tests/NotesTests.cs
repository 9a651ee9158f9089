using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Resilience.EntityFrameworkCore.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests;

/// <summary>What the notes of an attempt say when it has failed: every sequence of steps of one connection, against what the database would hold.</summary>
public sealed class NotesTests
{
    private const int MaxLength = 5;

    /// <summary>What a connection can be told to do, and what comes back.</summary>
    private enum Step
    {
        Read, Write, WriteThroughReader, Begin, Commit, Rollback,
    }

    /// <summary>How the last step of an attempt ends.</summary>
    private enum Failure
    {
        /// <summary>The server has answered with an error.</summary>
        Answered,

        /// <summary>The connection is lost, and how far it came is not known.</summary>
        Lost,

        /// <summary>Code of the caller throws, after everything before it has ended well.</summary>
        OfCaller,
    }

    /// <summary>The database as it is, told by a reference that knows nothing of notes: what is committed, what would be lost.</summary>
    private static AttemptEnd Expected(IReadOnlyList<Step> story, Failure failure)
    {
        bool isOpen = false, hasUncommitted = false, isApplied = false, mayBeApplied = false;
        for (int i = 0; i < story.Count; i++)
        {
            bool isLast = i == story.Count - 1 && failure != Failure.OfCaller;
            bool takesEffect = story[i] == Step.Commit ? hasUncommitted : story[i] is Step.Write or Step.WriteThroughReader && !isOpen;
            if (isLast)
            {
                mayBeApplied |= takesEffect && failure == Failure.Lost;
                break;
            }

            isApplied |= takesEffect;
            hasUncommitted = story[i] is Step.Write or Step.WriteThroughReader ? hasUncommitted || isOpen : story[i] == Step.Read && hasUncommitted;
            if (story[i] is Step.Begin) isOpen = true;
            if (story[i] is Step.Commit or Step.Rollback) isOpen = false;
        }

        return mayBeApplied ? AttemptEnd.Unknown : isApplied ? AttemptEnd.Applied : AttemptEnd.NotApplied;
    }

    private static IEnumerable<Step[]> Stories(int length)
    {
        if (length == 0) return [[]];
        return Stories(length - 1).SelectMany(story => Enum.GetValues<Step>().Select(step => (Step[])[.. story, step])).Where(IsLegal);
    }

    private static bool IsLegal(Step[] story)
    {
        bool isOpen = false;
        foreach (Step step in story)
        {
            if (step == Step.Begin ? isOpen : step is Step.Commit or Step.Rollback && !isOpen) return false;
            isOpen = step switch { Step.Begin => true, Step.Commit or Step.Rollback => false, _ => isOpen };
        }

        return true;
    }

    /// <summary>A tracker that is wrong in one way.</summary>
    public enum Planted
    {
        Nothing, ForgetsAutocommit, ForgetsCommit, TakesOpenReadersForEnded, TakesLossForAnAnswer,
    }

    private static AttemptEnd Told(IReadOnlyList<Step> story, Failure failure, Planted planted)
    {
        using SqliteConnection connection = new("Data Source=:memory:");
        connection.Open();
        OperationNotes notes = new();
        SqliteTransaction? open = null;
        Exception error = failure switch
        {
            Failure.Lost when planted != Planted.TakesLossForAnAnswer => DatabaseError.Lost(),
            Failure.OfCaller => new TimeZoneNotFoundException("of the caller"),
            _ => new DatabaseError(DatabaseError.Deadlock),
        };
        for (int i = 0; i < story.Count; i++)
        {
            bool fails = i == story.Count - 1 && failure != Failure.OfCaller;
            switch (story[i])
            {
                case Step.Begin when !fails:
                    notes.Began(connection, open = connection.BeginTransaction());
                    continue;
                case Step.Begin:
                    continue;
                case Step.Rollback:
                    if (!fails) notes.RolledBack(open!);
                    break;
                case Step.Commit:
                    if (planted != Planted.ForgetsCommit) notes.Committing(open!);
                    End(notes, connection, fails ? error : null);
                    break;
                default:
                    bool isSeen = story[i] != Step.Read && (open is not null || planted != Planted.ForgetsAutocommit);
                    notes.Sending(connection, open, isSeen ? CommandKind.Write : CommandKind.Read);

                    // A reader fails while it is read, of which no event tells: it is the attempt that ends.
                    bool isOpenReader = story[i] == Step.WriteThroughReader && fails;
                    if (!isOpenReader) End(notes, connection, fails ? error : null);
                    else if (planted == Planted.TakesOpenReadersForEnded) notes.Sent(connection);
                    continue;
            }

            open!.Dispose();
            open = null;
        }

        open?.Dispose();
        return notes.End(error);

        static void End(OperationNotes notes, DbConnection connection, Exception? error)
        {
            if (error is null) notes.Sent(connection);
            else notes.Failed(connection, error);
        }
    }

    private static List<string> Differences(Planted planted) =>
    [
        .. from length in Enumerable.Range(1, MaxLength)
           from story in Stories(length)
           from failure in Enum.GetValues<Failure>()
           let expected = Expected(story, failure)
           let told = Told(story, failure, planted)
           where told != expected
           select $"{string.Join(" ", story)}, {failure}: {told}, and it is {expected}",
    ];

    [Fact]
    public void Every_story_of_a_connection_ends_in_what_the_database_knows()
    {
        Enumerable.Range(1, MaxLength).Sum(length => Stories(length).Count()).Should().BeGreaterThan(1000, "all of them");
        Differences(Planted.Nothing).Should().BeEmpty();
    }

    [Theory]
    [InlineData(Planted.ForgetsAutocommit)]
    [InlineData(Planted.ForgetsCommit)]
    [InlineData(Planted.TakesOpenReadersForEnded)]
    [InlineData(Planted.TakesLossForAnAnswer)]
    public void A_tracker_that_is_wrong_is_found(Planted planted) => Differences(planted).Should().NotBeEmpty();

    [Theory]
    [InlineData("SELECT 1", true)]
    [InlineData("-- a tag; delete\nSELECT \"delete\", 'insert into x' FROM [update] -- drop", true)]
    [InlineData("/* insert */ WITH a AS (SELECT 1) SELECT * FROM a", true)]
    [InlineData("VALUES (1)", true)]
    [InlineData("INSERT INTO orders VALUES (1) RETURNING id", false)]
    [InlineData("insert into orders values (1)", false)]
    [InlineData("WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone", false)]
    [InlineData("SELECT 1; DELETE FROM orders", false)]
    [InlineData("SELECT * INTO copy FROM orders", false)]
    [InlineData("SELECT setval('ids', 7)", false)]
    [InlineData("EXEC charge 1", false)]
    [InlineData("CALL charge(1)", false)]
    [InlineData("-- resilience: writes\nSELECT charge(1)", false)]
    [InlineData("", false)]
    [InlineData("'unclosed", false)]
    public void Raw_SQL_reads_only_where_it_plainly_does(string text, bool reads)
    {
        using SqliteCommand command = new(text);
        Commands.KindOf(command, CommandSource.FromSqlQuery).Should().Be(reads ? CommandKind.Read : CommandKind.Write);
        Commands.KindOf(command, CommandSource.Unknown).Should().Be(reads ? CommandKind.Read : CommandKind.Write);
    }

    [Fact]
    public void Every_source_of_commands_is_a_read_or_a_write()
    {
        using SqliteCommand command = new("SELECT 1 FROM \"Update\" WHERE do = 1");
        Dictionary<CommandSource, CommandKind> kinds = Enum.GetValues<CommandSource>().Distinct().ToDictionary(s => s, s => Commands.KindOf(command, s));
        kinds.Where(k => k.Value == CommandKind.Read).Select(k => k.Key).Should()
            .BeEquivalentTo([CommandSource.LinqQuery, CommandSource.ValueGenerator, CommandSource.Scaffolding]);
        kinds[CommandSource.Migrations].Should().Be(CommandKind.ResumedWrite);
        kinds[CommandSource.FromSqlQuery].Should().Be(CommandKind.Write, "in doubt");
    }

    [Theory]
    [InlineData("40001", true)]
    [InlineData("40P01", true)]
    [InlineData("23505", true)]
    [InlineData("57014", true)]
    [InlineData("55P03", true)]
    [InlineData("57P01", false)]
    [InlineData("57P02", false)]
    [InlineData("08006", false)]
    [InlineData("08007", false)]
    [InlineData("40003", false)]
    [InlineData("HY000", false)]
    [InlineData(null, false)]
    public void An_answer_of_the_server_rolls_back_unless_it_is_about_the_connection(string? state, bool rollsBack)
    {
        DatabaseErrors.SaysRolledBack(new DatabaseError(state)).Should().Be(rollsBack);
        DatabaseErrors.SaysRolledBack(new DbUpdateException("", new DatabaseError(state))).Should().Be(rollsBack);
        DatabaseErrors.SaysRolledBack(new OperationCanceledException("", new DatabaseError(state))).Should().Be(rollsBack);
    }

    [Theory]
    [InlineData(5, true)]
    [InlineData(6, true)]
    [InlineData(19, true)]
    [InlineData(2067, true)]
    [InlineData(10, false)]
    [InlineData(13, false)]
    public void The_numbers_of_SQLite_are_read_without_its_package(int code, bool rollsBack) =>
        DatabaseErrors.SaysRolledBack(new SqliteException("", code & 0xFF, code)).Should().Be(rollsBack);

    [Fact]
    public void A_migration_that_was_committed_does_not_keep_the_next_from_being_repeated()
    {
        using SqliteConnection connection = new("Data Source=:memory:");
        OperationNotes notes = new();
        notes.Sending(connection, null, CommandKind.ResumedWrite);
        notes.Sent(connection);
        notes.End(DatabaseError.Lost()).Should().Be(AttemptEnd.NotApplied);
        notes.Sending(connection, null, CommandKind.ResumedWrite);
        notes.End(DatabaseError.Lost()).Should().Be(AttemptEnd.Unknown);
    }

    [Fact]
    public void What_another_connection_has_committed_is_not_done_again()
    {
        using SqliteConnection one = new("Data Source=:memory:"), other = new("Data Source=:memory:");
        OperationNotes notes = new();
        notes.Sending(other, null, CommandKind.Write);
        notes.Sent(other);
        notes.Sending(one, null, CommandKind.Read);
        notes.End(new DatabaseError(DatabaseError.Deadlock)).Should().Be(AttemptEnd.Applied);
    }
}

using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Storage;
using Resilience.EntityFrameworkCore.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests;

/// <summary>What the exceptions of EF Core mean, and those of drivers that say a number.</summary>
public sealed class ClassifierTests
{
    private static readonly OutcomeClassifier Rules = OutcomeClassifier.Default.On<TimeZoneNotFoundException>(Verdict.Ignored).EntityFrameworkCore();

    private static InvalidOperationException OfProvider(Exception? inner, string source) => new("", inner) { Source = source };

    [Theory]
    [InlineData("Microsoft.EntityFrameworkCore")]
    [InlineData("Microsoft.EntityFrameworkCore.Relational")]
    [InlineData("Npgsql.EntityFrameworkCore.PostgreSQL")]
    [InlineData("Pomelo.EntityFrameworkCore.MySql")]
    public void What_a_provider_wraps_is_judged_by_what_is_inside(string source)
    {
        Rules.Judge(OfProvider(DatabaseError.Lost(), source), false).Verdict.Should().Be(Verdict.Failure);
        Rules.Judge(OfProvider(new DatabaseError(DatabaseError.UniqueViolation), source), false).Verdict.Should().Be(Verdict.Ignored);
        Rules.Judge(OfProvider(new DatabaseError(DatabaseError.Deadlock), source), false).Counts.Should().BeFalse();
        Rules.Judge(OfProvider(null, source), false).Verdict.Should().Be(Verdict.Ignored, "an error of the program");
        Rules.Judge(OfProvider(new TimeZoneNotFoundException(), source), false).Verdict.Should().Be(Verdict.Ignored, "the user's rules come first, inside too");
    }

    [Fact]
    public void Code_of_others_is_judged_as_ever() =>
        Rules.Judge(OfProvider(new DatabaseError(DatabaseError.UniqueViolation), "Shop"), false).Verdict.Should().Be(Verdict.Failure);

    [Fact]
    public void A_report_of_retries_is_what_it_wraps_and_not_repeated_once_more()
    {
        Classification lost = Rules.Judge(new RetryLimitExceededException("", DatabaseError.Lost()), false);
        (lost.Verdict, lost.MayRepeat).Should().Be((Verdict.Failure, false));
        Rules.Judge(new RetryLimitExceededException("", new DatabaseError(DatabaseError.UniqueViolation)), false).Verdict.Should().Be(Verdict.Ignored);
    }

    [Fact]
    public void An_update_is_what_the_database_said_of_it_and_a_conflict_is_ignored()
    {
        Rules.Judge(new DbUpdateException("", new DatabaseError(DatabaseError.UniqueViolation)), false).Verdict.Should().Be(Verdict.Ignored);
        Rules.Judge(new DbUpdateException("", DatabaseError.Lost()), false).Verdict.Should().Be(Verdict.Failure);
        Rules.Judge(new DbUpdateConcurrencyException("", DatabaseError.Lost()), false).Verdict.Should().Be(Verdict.Ignored);
    }

    [Theory]
    [InlineData(5, Verdict.Failure, false)]
    [InlineData(517, Verdict.Failure, false)]
    [InlineData(2067, Verdict.Ignored, true)]
    [InlineData(10, Verdict.Failure, true)]
    public void The_numbers_of_SQLite_are_those_of_the_table(int code, Verdict verdict, bool counts)
    {
        Classification judged = Rules.Judge(new DbUpdateException("", new SqliteException("", code & 0xFF, code)), false);
        judged.Verdict.Should().Be(verdict);
        if (verdict == Verdict.Failure) judged.Counts.Should().Be(counts);
    }
}

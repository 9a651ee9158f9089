using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Resilience.EntityFrameworkCore;

namespace Resilience;

/// <summary>What the exceptions of EF Core mean.</summary>
public static class EntityFrameworkClassifier
{
    /// <summary>Adds the table of EF Core, which <c>UseResilience</c> does by itself.</summary>
    /// <remarks>
    /// <list type="bullet">
    /// <item><see cref="DbUpdateConcurrencyException"/> is <see cref="Verdict.Ignored"/>: read again first.</item>
    /// <item><see cref="DbUpdateException"/> is what the database said. The numbers of SQL Server, MySQL and SQLite are read.</item>
    /// <item><see cref="RetryLimitExceededException"/> is what it wraps, and not repeated once more.</item>
    /// <item>an <see cref="InvalidOperationException"/> of EF Core is what it wraps; without anything inside it is <see cref="Verdict.Ignored"/>: an error of
    /// the program.</item>
    /// </list>
    /// Say it after your own rules: what is wrapped is judged by those that were there before. The rules themselves come first wherever they were written.
    /// </remarks>
    /// <exception cref="ArgumentNullException"><paramref name="classifier"/> is null.</exception>
    public static OutcomeClassifier EntityFrameworkCore(this OutcomeClassifier classifier)
    {
        ArgumentNullException.ThrowIfNull(classifier);
        OutcomeClassifier whole = classifier; // with the table itself, as soon as it is made
        return whole = classifier.Table("EF Core", rules => rules
            .On<DbUpdateConcurrencyException>(Verdict.Ignored)
            .On<RetryLimitExceededException>(error => OfInner(error, whole) is { } inner ? inner with { MayRepeat = false } : null)
            .On<InvalidOperationException>(error => IsOfEntityFramework(error) ? OfInner(error, whole) ?? Verdict.Ignored : null)
            .On<DbException>(static error => DatabaseErrors.FindByNumber(error)?.Classification));
    }

    private static Classification? OfInner(Exception error, OutcomeClassifier rules) =>
        error.InnerException is { } inner ? rules.Judge(inner, callCancelled: false) : null;

    /// <summary>Of EF Core itself or of one of its providers, by the assembly that threw it.</summary>
    private static bool IsOfEntityFramework(InvalidOperationException error) => SourceOf(error).Contains("EntityFrameworkCore", StringComparison.Ordinal);

    private static string SourceOf(Exception error)
    {
        try
        {
            return error.Source ?? "";
        }
        catch (Exception)
        {
            return ""; // of a class that is not ours
        }
    }
}

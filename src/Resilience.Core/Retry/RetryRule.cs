namespace Resilience;

/// <summary>Another number of retries or another backoff for some failures. Immutable; the first rule of
/// <see cref="RetryOptions.Rules"/> that matches wins.</summary>
public sealed class RetryRule
{
    private readonly Func<AttemptResult, bool> _matches;

    private RetryRule(Func<AttemptResult, bool> matches, int? maxRetries, Backoff? backoff)
    {
        if (maxRetries is { } given && given < RetryOptions.Unlimited)
            throw new ArgumentOutOfRangeException(nameof(maxRetries), given, "0 or more, or RetryOptions.Unlimited.");
        _matches = matches;
        MaxRetries = maxRetries;
        Backoff = backoff;
    }

    /// <summary>How many retries the call may have had when such a failure is to be retried once more; null: as the options say.</summary>
    public int? MaxRetries { get; }

    /// <summary>The waits after such a failure; null: as the options say.</summary>
    public Backoff? Backoff { get; }

    /// <summary>A rule for exceptions of a type (or derived).</summary>
    /// <param name="maxRetries">0 or more, <see cref="RetryOptions.Unlimited"/>, or null for the options' own. Retries of the whole
    /// call count, whatever they were for.</param>
    /// <param name="backoff">Null for the options' own.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxRetries"/> is out of range.</exception>
    public static RetryRule On<TException>(int? maxRetries = null, Backoff? backoff = null)
        where TException : Exception => new(static attempt => attempt.Error is TException, maxRetries, backoff);

    /// <summary>A rule for outcomes that a predicate picks, results among them. A predicate that throws does not match.</summary>
    /// <inheritdoc cref="On{TException}(int?, Backoff?)"/>
    /// <param name="matches">Short and without side effects; runs after each failure.</param>
    /// <param name="maxRetries">0 or more, <see cref="RetryOptions.Unlimited"/>, or null for the options' own. Retries of the whole
    /// call count, whatever they were for.</param>
    /// <param name="backoff">Null for the options' own.</param>
    /// <exception cref="ArgumentNullException"><paramref name="matches"/> is null.</exception>
    public static RetryRule When(Func<AttemptResult, bool> matches, int? maxRetries = null, Backoff? backoff = null)
    {
        ArgumentNullException.ThrowIfNull(matches);
        return new(matches, maxRetries, backoff);
    }

    internal bool Matches(in AttemptResult attempt)
    {
        try
        {
            return _matches(attempt);
        }
        catch (Exception error)
        {
            Safely.Report("retry rule", error);
            return false;
        }
    }
}

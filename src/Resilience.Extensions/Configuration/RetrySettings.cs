namespace Resilience.Configuration;

/// <summary>What configuration may say about a retry: <see cref="RetryOptions"/> without its delegates.</summary>
/// <remarks>Null means not configured: the value of the code or the default stays. Equal by value.</remarks>
public sealed record RetrySettings
{
    /// <summary>False takes the retry out of the pipeline. Null or true: it stays.</summary>
    public bool? Enabled { get; set; }

    /// <inheritdoc cref="RetryOptions.MaxRetries"/>
    public int? MaxRetries { get; set; }

    /// <inheritdoc cref="RetryOptions.BackoffKind"/>
    public BackoffKind? BackoffKind { get; set; }

    /// <inheritdoc cref="RetryOptions.BaseDelay"/>
    public TimeSpan? BaseDelay { get; set; }

    /// <inheritdoc cref="RetryOptions.MaxDelay"/>
    public TimeSpan? MaxDelay { get; set; }

    /// <inheritdoc cref="RetryOptions.Factor"/>
    public double? Factor { get; set; }

    /// <inheritdoc cref="RetryOptions.Jitter"/>
    public BackoffJitter? Jitter { get; set; }

    /// <inheritdoc cref="RetryOptions.MaxRetryAfter"/>
    public TimeSpan? MaxRetryAfter { get; set; }

    /// <inheritdoc cref="RetryOptions.RetryAfterJitter"/>
    public double? RetryAfterJitter { get; set; }

    /// <inheritdoc cref="RetryOptions.BackoffIsMinimum"/>
    public bool? BackoffIsMinimum { get; set; }

    /// <inheritdoc cref="RetryOptions.WaitForRejections"/>
    public bool? WaitForRejections { get; set; }

    /// <summary>The account that retries are paid from. A <see cref="RetryOptions.Budget"/> set in code gives way to it.</summary>
    public RetryBudgetSettings? Budget { get; set; }

    /// <summary>Copies what was configured to the options.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public void ApplyTo(RetryOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (MaxRetries is { } maxRetries) options.MaxRetries = maxRetries;
        if (BackoffKind is { } kind) options.BackoffKind = kind;
        if (BaseDelay is { } baseDelay) options.BaseDelay = baseDelay;
        if (MaxDelay is { } maxDelay) options.MaxDelay = maxDelay;
        if (Factor is { } factor) options.Factor = factor;
        if (Jitter is { } jitter) options.Jitter = jitter;
        if (MaxRetryAfter is { } maxRetryAfter) options.MaxRetryAfter = maxRetryAfter;
        if (RetryAfterJitter is { } spread) options.RetryAfterJitter = spread;
        if (BackoffIsMinimum is { } isMinimum) options.BackoffIsMinimum = isMinimum;
        if (WaitForRejections is { } wait) options.WaitForRejections = wait;
        if (Budget is not null) (options.Budget, options.BudgetOptions) = Budget.Applied(options.Budget, options.BudgetOptions);
    }
}

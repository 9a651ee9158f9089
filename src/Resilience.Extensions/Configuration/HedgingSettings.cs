namespace Resilience.Configuration;

/// <summary>What configuration may say about hedging: <see cref="HedgingOptions"/> without its delegates.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record HedgingSettings
{
    /// <summary>False takes the hedging out of the pipeline. Null or true: it stays.</summary>
    public bool? Enabled { get; set; }

    /// <inheritdoc cref="HedgingOptions.MaxAttempts"/>
    public int? MaxAttempts { get; set; }

    /// <inheritdoc cref="HedgingOptions.Delay"/>
    public TimeSpan? Delay { get; set; }

    /// <summary>The account that hedges are paid from. A <see cref="HedgingOptions.Budget"/> set in code gives way to it.</summary>
    public RetryBudgetSettings? Budget { get; set; }

    /// <summary>Copies what was configured to the options.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public void ApplyTo(HedgingOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (MaxAttempts is { } maxAttempts) options.MaxAttempts = maxAttempts;
        if (Delay is { } delay) options.Delay = delay;
        if (Budget is null) return;
        (options.Budget, options.BudgetOptions) = Budget.Applied(options.Budget, options.BudgetOptions);
    }
}

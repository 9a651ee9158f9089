namespace Resilience.Configuration;

/// <summary>What configuration may say about a retry budget.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record RetryBudgetSettings
{
    /// <summary>True turns the budget off: every retry is granted. False turns it on even if the code turned it off.</summary>
    public bool? Unlimited { get; set; }

    /// <inheritdoc cref="RetryBudgetOptions.Ratio"/>
    public double? Ratio { get; set; }

    /// <inheritdoc cref="RetryBudgetOptions.MinRetriesPerSecond"/>
    public double? MinRetriesPerSecond { get; set; }

    /// <inheritdoc cref="RetryBudgetOptions.Window"/>
    public TimeSpan? Window { get; set; }

    /// <summary>Copies what was configured to the options, <see cref="Unlimited"/> excepted.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public void ApplyTo(RetryBudgetOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (Ratio is { } ratio) options.Ratio = ratio;
        if (MinRetriesPerSecond is { } floor) options.MinRetriesPerSecond = floor;
        if (Window is { } window) options.Window = window;
    }

    /// <summary>Account and options of a policy with what was configured; without it they stay as they are.</summary>
    internal (RetryBudget? Budget, RetryBudgetOptions? Options) Applied(RetryBudget? account, RetryBudgetOptions? options)
    {
        if (Unlimited is true) return (RetryBudget.Unlimited, options);
        if (Unlimited is null && Ratio is null && MinRetriesPerSecond is null && Window is null) return (account, options);

        // A copy: the options of the code may be shared with another policy.
        RetryBudgetOptions budget = new();
        if (options is { } said)
        {
            budget.Name = said.Name;
            budget.Ratio = said.Ratio;
            budget.MinRetriesPerSecond = said.MinRetriesPerSecond;
            budget.Window = said.Window;
        }

        ApplyTo(budget);
        return (null, budget);
    }
}

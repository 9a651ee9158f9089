using Resilience.Extensibility;

namespace Resilience;

/// <summary>How many retries a dependency is worth.</summary>
public sealed class RetryBudgetOptions : PolicyOptions
{
    private static readonly PolicySettings<RetryBudgetOptions> Declared = PolicySettings.For<RetryBudgetOptions>()
        .Number(nameof(Ratio), null, static (o, v) => o.Ratio = v, 0, 10, "Retries for each call: 0, or from 0.001 to 10. Default 0.2.")
        .Number(nameof(MinRetriesPerSecond), null, static (o, v) => o.MinRetriesPerSecond = v, 0, 10_000,
            "Retries a second that are granted whatever the traffic. Default 10.")
        .Span(nameof(Window), static o => o.Window, static (o, v) => o.Window = v, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60),
            "How long a call counts, from 1 s to 60 s. Default 00:00:10.");

    /// <summary>Retries for each call, rounded to the thousandth. Default 0.2: at most one call in five more, however much fails. 0, or
    /// from 0.001 to 10.</summary>
    public double Ratio { get; set; } = 0.2;

    /// <summary>Retries a second that are granted whatever the traffic, so that a client with few calls can retry at all. Default
    /// 10.</summary>
    /// <remarks>0, or from one in a <see cref="Window"/> to 10 000. Fractions are allowed.</remarks>
    public double MinRetriesPerSecond { get; set; } = 10;

    /// <summary>How long a call counts: the time in which an unspent balance shrinks to 37 %. Default 10 s, from 1 s to 60 s.</summary>
    /// <remarks>Longer forgives longer bursts of failures after a good time, shorter forgets faster.</remarks>
    public TimeSpan Window { get; set; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    protected internal override string Kind => "retry-budget";

    /// <inheritdoc/>
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Declared(this);
        check.Require(Ratio == 0 || (Ratio >= 0.001 && Ratio <= 10), nameof(Ratio), Ratio, "0, or from 0.001 to 10");
        double window = Math.Clamp(Window.TotalSeconds, 1, 60);
        check.Require(
            MinRetriesPerSecond == 0 || (MinRetriesPerSecond * window >= 1 && MinRetriesPerSecond <= 10_000),
            nameof(MinRetriesPerSecond), MinRetriesPerSecond, "0, or from one retry in a Window to 10000 in a second");
    }
}

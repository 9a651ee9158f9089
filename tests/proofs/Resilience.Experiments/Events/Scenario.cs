namespace Resilience.Experiments;

/// <summary>What happens to one server in an experiment. Times are seconds.</summary>
internal sealed record Scenario
{
    internal required string Name { get; init; }

    internal required double Length { get; init; }

    /// <summary>Calls a second, at a moment.</summary>
    internal required Func<double, double> Load { get; init; }

    /// <summary>How many calls are served at once, at a moment.</summary>
    internal Func<double, int> Servers { get; init; } = static _ => 20;

    /// <summary>How long a call takes once it is served.</summary>
    internal Func<Chance, double, double> Service { get; init; } = static (chance, _) => chance.Exponential(0.05);

    /// <summary>The share of each class, the highest first; null: all are critical.</summary>
    internal double[]? Classes { get; init; }

    /// <summary>From when until when the dependency answers nothing: calls end as overloaded after <see cref="Timeout"/>.</summary>
    internal (double From, double Until) Hangs { get; init; } = (double.MaxValue, double.MaxValue);

    internal double Timeout { get; init; } = 1;
}

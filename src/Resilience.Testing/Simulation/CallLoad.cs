using Resilience.Overload;

namespace Resilience.Testing;

/// <summary>Load that does not wait for answers: how many calls, when, and of which classes. Immutable.</summary>
public sealed record CallLoad
{
    /// <summary>Calls a second: more than 0. Required.</summary>
    public required double PerSecond { get; init; }

    /// <summary>How far the calls are apart. Default <see cref="ArrivalSpacing.Random"/>.</summary>
    public ArrivalSpacing Spacing { get; init; }

    /// <summary>The share of each class of criticality; together they make 1. Default null: all are <see cref="Criticality.Critical"/>.</summary>
    public IReadOnlyDictionary<Criticality, double>? Classes { get; init; }

    /// <summary>When it begins, in virtual time. Default: at once.</summary>
    public TimeSpan From { get; init; }

    /// <summary>When it ends. Default null: with the run.</summary>
    public TimeSpan? Until { get; init; }

    internal void ThrowIfInvalid()
    {
        if (!(PerSecond > 0 && double.IsFinite(PerSecond))) throw new ArgumentOutOfRangeException(nameof(PerSecond), PerSecond, "More than 0 calls a second.");
        if (!Enum.IsDefined(Spacing)) throw new ArgumentOutOfRangeException(nameof(Spacing), Spacing, "Spacing is a defined value.");
        ArgumentOutOfRangeException.ThrowIfLessThan(From, TimeSpan.Zero, nameof(From));
        if (Classes is null) return;
        foreach ((Criticality criticality, double share) in Classes)
        {
            if (!Enum.IsDefined(criticality)) throw new ArgumentOutOfRangeException(nameof(Classes), criticality, "Classes has a value that is not defined.");
            if (share is not (>= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(Classes), share, "Classes has shares: 0 to 1.");
        }

        double sum = Classes.Values.Sum();
        if (Math.Abs(sum - 1) > 1e-9) throw new ArgumentOutOfRangeException(nameof(Classes), sum, "The shares of Classes make 1 together.");
    }

    /// <summary>The class of a call, for a number that is evenly spread over [0, 1).</summary>
    internal Criticality ClassOf(double drawn)
    {
        if (Classes is null) return Criticality.Critical;
        Criticality last = Criticality.Critical;
        foreach ((Criticality criticality, double share) in Classes)
        {
            if (share == 0) continue;
            last = criticality;
            if ((drawn -= share) < 0) break;
        }

        return last;
    }
}

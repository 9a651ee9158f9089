namespace Resilience;

/// <summary>What a fallback knows of the outcome that it replaces.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
public readonly struct FallbackArguments<T>
{
    internal FallbackArguments(Outcome<T> outcome, ResilienceContext context)
    {
        Outcome = outcome;
        Call = context;
    }

    /// <summary>The failure or rejection.</summary>
    public Outcome<T> Outcome { get; }

    /// <summary>The call; a substitute call honours its token.</summary>
    public ResilienceContext Context => Call.Shown();

    private ResilienceContext Call { get; }
}

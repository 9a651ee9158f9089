namespace Resilience;

/// <summary>What a policy tells a hedging around it: above all whether the dependency is overloaded, so that no more is sent than has to be.</summary>
/// <remarks>Those that stand inside another policy are given to it when it is bound (<see cref="Extensibility.ResiliencePolicy.BindAround"/>).</remarks>
internal interface IOverloadSign
{
    /// <summary>True while it rejects calls because of overload, or sends less than usual to find out how much is too much. Cheap, and never throws.</summary>
    bool ShowsOverload { get; }

    /// <summary>Attempts of a call are about to run beside each other, each with a copy of this context: what they are to share is put into it. Never
    /// throws.</summary>
    void BeforeAttempts(ResilienceContext call)
    {
    }
}

namespace Resilience;

/// <summary>A policy that knows whether the dependency is overloaded: what stands around it must not send more than it has to.</summary>
/// <remarks>Those that stand inside another policy are given to it when it is bound (<see cref="Extensibility.ResiliencePolicy.BindAround"/>).</remarks>
internal interface IOverloadSign
{
    /// <summary>True while it rejects calls because of overload, or sends less than usual to find out how much is too much. Cheap, and never throws.</summary>
    bool ShowsOverload { get; }
}

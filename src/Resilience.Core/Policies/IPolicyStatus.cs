namespace Resilience.Extensibility;

/// <summary>Says how it is, for live pages and health checks. Implemented by a <see cref="ResiliencePolicy.State"/>, or by the policy itself.</summary>
/// <remarks>What does not implement it is not shown: a state may hold what is confidential.</remarks>
public interface IPolicyStatus
{
    /// <summary>How it is now. Called from any thread, also while calls pass, once for each look: quick, without waiting.</summary>
    PolicyStatus GetStatus();
}

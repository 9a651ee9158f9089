namespace Resilience.Http;

/// <summary>Options of handlers whose pipeline is yours: <see cref="HttpResilience.Custom"/>.</summary>
public sealed class CustomResilienceOptions : HttpResilienceOptions
{
    /// <inheritdoc/>
    protected override string Kind => "http";
}

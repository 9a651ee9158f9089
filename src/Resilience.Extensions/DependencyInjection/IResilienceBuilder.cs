namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers pipelines.</summary>
public interface IResilienceBuilder
{
    /// <summary>The services that everything is registered in.</summary>
    IServiceCollection Services { get; }
}

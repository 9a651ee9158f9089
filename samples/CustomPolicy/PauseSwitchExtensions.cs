namespace Resilience.CustomPolicy;

public static class PauseSwitchPipelineBuilderExtensions
{
    public static TBuilder AddPauseSwitch<TBuilder>(this TBuilder builder, PauseSwitch pause)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(pause);
        return builder.AddPolicy(new PauseSwitchOptions { Name = pause.Name }, environment => new PauseSwitchPolicy(pause, environment));
    }

    /// <summary>The same with the policy of the first draft, to compare.</summary>
    public static TBuilder AddSimplePauseSwitch<TBuilder>(this TBuilder builder, PauseSwitch pause)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(pause);
        return builder.AddPolicy(new PauseSwitchOptions { Name = pause.Name }, environment => new SimplePauseSwitchPolicy(pause, environment));
    }
}

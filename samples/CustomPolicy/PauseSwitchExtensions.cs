namespace Resilience.CustomPolicy;

public static class PauseSwitchPipelineBuilderExtensions
{
    public static TBuilder AddPauseSwitch<TBuilder>(this TBuilder builder, PauseSwitch pause)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(pause);
        return builder.AddPolicy(new PauseSwitchOptions { Name = pause.Name }, (options, environment) => new PauseSwitchPolicy(pause, options, environment));
    }

    /// <summary>With a switch of the pipeline's own: <c>pipeline.Find&lt;PauseSwitch&gt;()</c>.</summary>
    public static TBuilder AddPauseSwitch<TBuilder>(this TBuilder builder, PauseSwitchOptions options)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddPolicy(options, static (copy, environment) => new PauseSwitchPolicy(null, copy, environment));

    /// <summary>The same with the policy of the first draft, to compare.</summary>
    public static TBuilder AddSimplePauseSwitch<TBuilder>(this TBuilder builder, PauseSwitch pause)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(pause);
        return builder.AddPolicy(new PauseSwitchOptions { Name = pause.Name }, environment => new SimplePauseSwitchPolicy(pause, environment));
    }
}

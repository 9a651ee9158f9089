using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Resilience.Overload;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers load shedding.</summary>
public static class LoadSheddingServiceCollectionExtensions
{
    /// <summary>Registers what <c>app.UseLoadShedding()</c> needs, and a <see cref="LoadShedder"/> for other code: the common one. The host does not start with
    /// options that are out of range.</summary>
    /// <param name="services">The application's.</param>
    /// <param name="configure">Changes the options. Those of several calls apply one after the other.</param>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static IServiceCollection AddLoadShedding(this IServiceCollection services, Action<LoadSheddingOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        OptionsBuilder<LoadSheddingOptions> options = services.AddOptions<LoadSheddingOptions>().ValidateOnStart();
        if (configure is not null) options.Configure(configure);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<LoadSheddingOptions>, Validator>());
        services.TryAddSingleton<LoadShedders>();
        services.TryAddSingleton(provider => provider.GetRequiredService<LoadShedders>().Of(null));
        return services;
    }

    private sealed class Validator : IValidateOptions<LoadSheddingOptions>
    {
        public ValidateOptionsResult Validate(string? name, LoadSheddingOptions options)
        {
            string[] problems = [.. options.FindProblems().Select(p => p.ToString())];
            return problems.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
        }
    }
}

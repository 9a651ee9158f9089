using Resilience.Extensibility;

namespace Resilience.Chaos;

/// <summary>Where chaos may be: the guard of Production.</summary>
internal static class ChaosEnvironment
{
    internal const string Production = "Production";

    /// <summary>The environment, or throws if chaos is not allowed in it.</summary>
    internal static string Require(ChaosOptions options, PolicyEnvironment policy)
    {
        string name = First(options.EnvironmentName, policy.HostEnvironment, Variable("DOTNET_ENVIRONMENT"), Variable("ASPNETCORE_ENVIRONMENT"));
        if (options.AllowedEnvironments.Contains(name)) return name;
        throw new ResilienceOptionsException(
        [
            new(policy.PolicyName, nameof(ChaosOptions.EnvironmentName), $"'{name}', where chaos is not allowed",
                $"one of AllowedEnvironments ({string.Join(", ", options.AllowedEnvironments)}): leave the chaos policy out here, say which "
                + "environment this is (EnvironmentName, DOTNET_ENVIRONMENT or ASPNETCORE_ENVIRONMENT; unset means Production), "
                + $"or, if you mean chaos in '{name}', add that name to AllowedEnvironments"),
        ]);
    }

    private static string First(params ReadOnlySpan<string?> names)
    {
        foreach (string? name in names)
        {
            if (!string.IsNullOrWhiteSpace(name)) return name.Trim();
        }

        return Production;
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name);
}

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>A family of client libraries that retry by themselves, and how they are told not to.</summary>
internal sealed class Sdk
{
    private readonly INamedTypeSymbol _options;
    private readonly INamedTypeSymbol _carrier;

    private Sdk(string name, INamedTypeSymbol options, string transport, INamedTypeSymbol carrier, string[] retries, string cure)
    {
        (Name, Transport, Retries, Cure) = (name, transport, retries, cure);
        (_options, _carrier) = (options, carrier);
    }

    internal string Name { get; }

    /// <summary>The option that takes the client.</summary>
    internal string Transport { get; }

    /// <summary>The options, as paths, that say how often to retry: a number, or a policy that is made with a number.</summary>
    internal string[] Retries { get; }

    internal string Cure { get; }

    /// <summary>Those whose types the compilation knows.</summary>
    internal static Sdk[] KnownTo(Compilation compilation)
    {
        return
        [
            .. Find(
                "Azure.Core", "Azure.Core.ClientOptions", "Transport", "Azure.Core.Pipeline.HttpClientTransport", ["Retry.MaxRetries", "RetryPolicy"],
                "set Retry.MaxRetries = 0"),
            .. Find(
                "System.ClientModel", "System.ClientModel.Primitives.ClientPipelineOptions", "Transport",
                "System.ClientModel.Primitives.HttpClientPipelineTransport", ["RetryPolicy"], "set RetryPolicy = new ClientRetryPolicy(maxRetries: 0)"),
            .. Find(
                "The AWS SDK", "Amazon.Runtime.ClientConfig", "HttpClientFactory", "Amazon.Runtime.HttpClientFactory", ["MaxErrorRetry"],
                "set MaxErrorRetry = 0, or take retry and key out of this client"),
        ];

        Sdk[] Find(string name, string options, string transport, string carrier, string[] retries, string cure) =>
            compilation.GetTypeByMetadataName(options) is { } known && compilation.GetTypeByMetadataName(carrier) is { } carries
                ? [new(name, known, transport, carries, retries, cure)]
                : [];
    }

    internal bool IsOptions(ITypeSymbol? type) => Derives(type, _options);

    /// <summary>What stands between the options and the client.</summary>
    internal bool IsCarrier(ITypeSymbol? type) => Derives(type, _carrier);

    /// <summary>Whether an option leaves the retries on; null when that cannot be read from the code.</summary>
    internal static bool? LeavesOn(IOperation value)
    {
        IOperation said = Code.Bare(value);
        if (said is IObjectCreationOperation { Initializer: null } policy && !Code.IsInSource(policy.Type))
        {
            if (policy.Arguments.FirstOrDefault(static a => a.Parameter?.Name == "maxRetries") is not { } times) return null;
            if (times.ArgumentKind == ArgumentKind.DefaultValue) return true;
            said = Code.Bare(times.Value);
        }

        return said.ConstantValue is { HasValue: true, Value: int number } ? number > 0 : null;
    }

    private static bool Derives(ITypeSymbol? type, INamedTypeSymbol from)
    {
        for (ITypeSymbol? t = type; t is not null; t = t.BaseType)
        {
            if (Known.Is(t, from)) return true;
        }

        return false;
    }
}

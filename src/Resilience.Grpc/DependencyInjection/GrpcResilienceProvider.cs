using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Grpc.Net.ClientFactory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Resilience.Extensibility;

namespace Resilience.Grpc;

/// <summary>Gives what the calls of each gRPC client of the container share: circuits, budgets and limits by target, to see and to control. Made once for each
/// client and kept. Thread-safe.</summary>
public sealed class GrpcResilienceProvider
{
    private readonly IServiceProvider _services;
    private readonly GrpcRegistration[] _registered;
    private readonly BuildGate<string> _builds = new("gRPC client");
    private readonly ConcurrentDictionary<string, Found> _made = new(StringComparer.Ordinal);
    private readonly ILogger? _logger;

    /// <summary>Made by the container.</summary>
    public GrpcResilienceProvider(IServiceProvider services)
    {
        _services = services;
        _registered = [.. services.GetServices<GrpcRegistration>()];
        _logger = SafeLogger.Of(services.GetService<ILoggerFactory>(), GrpcLog.Category);
    }

    /// <summary>What was made so far.</summary>
    public IReadOnlyList<GrpcResilience> Made => [.. _made.Values.Select(m => m.Resilience).OfType<GrpcResilience>()];

    /// <summary>What the calls of this client share.</summary>
    /// <param name="client">The name of the client; where <c>AddGrpcClient</c> was not given one, the name of its type.</param>
    /// <exception cref="KeyNotFoundException">The client has no resilience.</exception>
    /// <exception cref="InvalidOperationException">The client has it twice.</exception>
    /// <exception cref="OptionsValidationException">Its options are wrong: everything, in one message.</exception>
    public GrpcResilience GetResilience(string client) => Find(client)
        ?? throw new KeyNotFoundException($"The gRPC client '{client}' has no resilience: AddGrpcResilience was not called.");

    /// <summary>As <see cref="GetResilience"/>, with false for a client without resilience.</summary>
    public bool TryGetResilience(string client, [NotNullWhen(true)] out GrpcResilience? resilience) => (resilience = Find(client)) is not null;

    /// <summary>The clients that were registered by name.</summary>
    internal IEnumerable<string> Clients => _registered.Select(r => r.Client).OfType<string>().Distinct(StringComparer.Ordinal);

    /// <summary>Null for a client without resilience.</summary>
    internal GrpcResilience? Find(string client)
    {
        ArgumentNullException.ThrowIfNull(client);
        return _made.TryGetValue(client, out Found? made)
            ? made.Resilience
            : _builds.GetOrBuild(client, c => _made.GetValueOrDefault(c), c => _made[c] = new(Make(c))).Resilience;
    }

    /// <summary>Whether anything was registered for the client, without making it.</summary>
    internal bool IsRegistered(string client) => Effective(client)?.Configure is not null;

    private GrpcRegistration? Effective(string client)
    {
        GrpcRegistration[] own = [.. _registered.Where(r => r.Client == client)];
        if (own.Length == 0) own = [.. _registered.Where(r => r.Client is null)];
        GrpcRegistration[] real = [.. own.Where(r => r.Configure is not null)];
        return real.Length <= 1 ? (real.Length == 1 ? real[0] : own.FirstOrDefault()) : throw new InvalidOperationException(
            $"The gRPC client {(real[0].Client is null ? "defaults have" : $"'{client}' has")} resilience registered {real.Length} times. "
            + "Call RemoveGrpcResilience() before the registration that is to replace the others.");
    }

    private GrpcResilience? Make(string client)
    {
        if (Effective(client)?.Configure is not { } configure) return null;
        GrpcResilienceOptions options = new();
        configure(options, _services);
        GrpcResilience made = Located(client, () => GrpcResilience.Standard(client, options, builder => builder.UseServices(_services), TargetOf(client)));
        foreach (PipelineWarning warning in made.Describe().Warnings)
        {
            if (_logger is not null) GrpcLog.PipelineWarning(_logger, client, warning.Code, warning.Message);
        }

        return made;
    }

    private string TargetOf(string client) => _services.GetService<IOptionsMonitor<GrpcClientFactoryOptions>>()?.Get(client).Address switch
    {
        null => "",
        { Scheme: "http" or "https" } address => address.Authority,
        { } address => address.ToString(), // of a resolver: dns:///orders
    };

    private static GrpcResilience Located(string client, Func<GrpcResilience> make)
    {
        try
        {
            return make();
        }
        catch (ResilienceOptionsException wrong)
        {
            throw Wrong(client, wrong.Problems.Select(p => p.ToString()));
        }
        catch (ResiliencePipelineException wrong)
        {
            throw Wrong(client, wrong.Warnings.Select(w => w.ToString()));
        }
    }

    internal static OptionsValidationException Wrong(string client, IEnumerable<string?> problems) =>
        new(client, typeof(GrpcResilienceOptions), problems.Select(p => $"The gRPC client '{client}': {p}"));

    /// <param name="Resilience">Null for a client without resilience.</param>
    private sealed record Found(GrpcResilience? Resilience);
}

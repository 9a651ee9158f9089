using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Grpc.Net.ClientFactory;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Resilience.Configuration;
using Resilience.Extensibility;

namespace Resilience.Grpc;

/// <summary>Gives what the calls of each gRPC client of the container share: circuits, budgets and limits by target, to see and to control. Made once for each
/// client and kept. Thread-safe; disposed with the container.</summary>
public sealed class GrpcResilienceProvider : IDisposable
{
    private readonly IServiceProvider _services;
    private readonly GrpcRegistration[] _registered;
    private readonly BuildGate<string> _builds = new("gRPC client");
    private readonly ConcurrentDictionary<string, Found> _made = new(StringComparer.Ordinal);
    private readonly ReloadList _reloads;
    private readonly ILogger? _logger;

    /// <summary>Made by the container.</summary>
    public GrpcResilienceProvider(IServiceProvider services)
    {
        _services = services;
        _reloads = new(this);
        _registered = [.. services.GetServices<GrpcRegistration>()];
        _logger = SafeLogger.Of(services.GetService<ILoggerFactory>(), GrpcLog.Category);
    }

    /// <summary>What was made so far.</summary>
    public IReadOnlyList<GrpcResilience> Made => [.. _made.Values.Select(m => m.Resilience).OfType<GrpcResilience>()];

    /// <summary>What the calls of this client share.</summary>
    /// <param name="client">The name of the client; where <c>AddGrpcClient</c> was not given one, the name of its type.</param>
    /// <exception cref="KeyNotFoundException">The client has no resilience.</exception>
    /// <exception cref="InvalidOperationException">The client has it twice.</exception>
    /// <exception cref="OptionsValidationException">Its options or its configuration are wrong: everything, in one message.</exception>
    /// <exception cref="ObjectDisposedException">The container has been disposed of.</exception>
    public GrpcResilience GetResilience(string client) => Find(client)
        ?? throw new KeyNotFoundException($"The gRPC client '{client}' has no resilience: AddGrpcResilience was not called.");

    /// <summary>As <see cref="GetResilience"/>, with false for a client without resilience.</summary>
    /// <exception cref="ObjectDisposedException">The container has been disposed of.</exception>
    public bool TryGetResilience(string client, [NotNullWhen(true)] out GrpcResilience? resilience) => (resilience = Find(client)) is not null;

    /// <summary>Ends the listening to configuration. It may wait for a change that is being applied.</summary>
    public void Dispose() => _reloads.Dispose();

    /// <summary>The clients that were registered by name.</summary>
    internal IEnumerable<string> Clients => _registered.Select(r => r.Client).OfType<string>().Distinct(StringComparer.Ordinal);

    /// <summary>Null for a client without resilience.</summary>
    internal GrpcResilience? Find(string client)
    {
        ArgumentNullException.ThrowIfNull(client);
        _reloads.ThrowIfDisposed();
        return _made.TryGetValue(client, out Found? made)
            ? made.Resilience
            : _builds.GetOrBuild(client, c => _made.GetValueOrDefault(c), c => _made[c] = new(Make(c))).Resilience;
    }

    /// <summary>Whether anything was registered for the client, without making it.</summary>
    internal bool IsRegistered(string client) => Effective(client) is { IsRemoval: false };

    private GrpcRegistration? Effective(string client)
    {
        GrpcRegistration[] own = [.. _registered.Where(r => r.Client == client)];
        if (own.Length == 0) own = [.. _registered.Where(r => r.Client is null)];
        GrpcRegistration[] real = [.. own.Where(r => !r.IsRemoval)];
        return real.Length <= 1 ? (real.Length == 1 ? real[0] : own.FirstOrDefault()) : throw new InvalidOperationException(
            $"The gRPC client {(real[0].Client is null ? "defaults have" : $"'{client}' has")} resilience registered {real.Length} times. "
            + "Call RemoveGrpcResilience() before the registration that is to replace the others.");
    }

    private GrpcResilience? Make(string client)
    {
        if (Effective(client) is not { IsRemoval: false } registration) return null;
        if (registration.Custom is { } custom) return Warned(MakeCustom(client, registration, custom));
        IConfiguration? section = registration.Path is { } path ? _services.GetRequiredService<IConfiguration>().GetSection(path) : registration.Section;
        return section is null
            ? Located(client, () => Warned(MakeStandard(client, OptionsOf(registration))))
            : MakeFollowing(client, new(_services, client, section, () => OptionsOf(registration)));
    }

    private GrpcResilience MakeFollowing(string client, OptionsSection<GrpcResilienceOptions> section)
    {
        try
        {
            GrpcResilience made = section.Follow(options => Warned(MakeStandard(client, options)), (made, options) =>
            {
                made.Update(options);
                Warned(made);
            });
            _reloads.Add(section);
            return made;
        }
        catch
        {
            section.Dispose();
            throw;
        }
    }

    private GrpcResilience MakeStandard(string client, GrpcResilienceOptions options) =>
        GrpcResilience.Standard(client, options, builder => builder.UseServices(_services), TargetOf(client));

    private GrpcResilience MakeCustom(string client, GrpcRegistration registration, Action<ResiliencePipelineBuilder, IServiceProvider> custom)
    {
        GrpcPipelineOptions options = new();
        registration.CustomOptions?.Invoke(options);
        return Located(client, () => GrpcResilience.Custom(
            builder => custom(builder, _services), client, options, builder => builder.UseServices(_services), TargetOf(client)));
    }

    private GrpcResilienceOptions OptionsOf(GrpcRegistration registration)
    {
        GrpcResilienceOptions options = new();
        registration.Standard!(options, _services);
        return options;
    }

    private GrpcResilience Warned(GrpcResilience made)
    {
        foreach (PipelineWarning warning in made.Describe().Warnings)
        {
            if (_logger is not null) GrpcLog.PipelineWarning(_logger, made.Name, warning.Code, warning.Message);
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

using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Resilience.Configuration;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience.Http;

/// <summary>Gives what the handlers of each <see cref="HttpClient"/> share: circuits, budgets and limits by authority, to see and to
/// control. Made once for each client and kept, however often handlers are made anew. Thread-safe; disposed with the container.</summary>
public sealed class HttpResilienceProvider : IStartCheck, IDisposable
{
    private readonly IServiceProvider _services;
    private readonly HttpRegistration[] _registered;
    private readonly KeyRegistration[] _keys;
    private readonly EndpointRegistration[] _endpoints;
    private readonly ConcurrentDictionary<string, EndpointSet> _sets = new(StringComparer.Ordinal);
    private readonly BuildGate<string> _builds = new("HttpClient");
    private readonly ConcurrentDictionary<string, HttpClientPipelines> _made = new(StringComparer.Ordinal);
    private readonly ReloadList _reloads;

    /// <summary>Made by the container.</summary>
    public HttpResilienceProvider(IServiceProvider services)
    {
        _services = services;
        _reloads = new(this);
        _registered = [.. services.GetServices<HttpRegistration>()];
        _keys = [.. services.GetServices<KeyRegistration>()];
        _endpoints = [.. services.GetServices<EndpointRegistration>()];
    }

    /// <summary>What was made so far.</summary>
    public IReadOnlyList<HttpResilience> Made => [.. _made.Values.Select(m => m.Resilience).OfType<HttpResilience>()];

    /// <summary>What the handlers of this client share.</summary>
    /// <param name="client">The name of the client; for a typed client the name of its type, as <c>AddHttpClient</c> makes it.</param>
    /// <exception cref="KeyNotFoundException">The client has no resilience.</exception>
    /// <exception cref="InvalidOperationException">The client has it twice.</exception>
    /// <exception cref="OptionsValidationException">Its options or its configuration are wrong: everything, in one message.</exception>
    /// <exception cref="ObjectDisposedException">The container has been disposed of.</exception>
    public HttpResilience GetResilience(string client) => Find(client)
        ?? throw new KeyNotFoundException($"The HttpClient '{client}' has no resilience: neither AddStandardResilience nor AddResilience was called.");

    /// <summary>As <see cref="GetResilience"/>, with false for a client without resilience, and when the container has been disposed of: a host that
    /// stops is no error of who asks.</summary>
    public bool TryGetResilience(string client, [NotNullWhen(true)] out HttpResilience? resilience)
    {
        try
        {
            resilience = Find(client);
        }
        catch (ObjectDisposedException) when (_reloads.IsDisposed || ContainerSetup.IsGone(_services))
        {
            resilience = null;
        }

        return resilience is not null;
    }

    /// <summary>Null for a client without resilience. It never says so because the container is gone: a client that is made then must not come out
    /// without its pipeline.</summary>
    internal HttpResilience? Find(string client)
    {
        ArgumentNullException.ThrowIfNull(client);
        _reloads.ThrowIfDisposed();
        return _made.TryGetValue(client, out HttpClientPipelines? made)
            ? made.Resilience
            : _builds.GetOrBuild(client, c => _made.GetValueOrDefault(c), Build).Resilience;
    }

    /// <summary>Ends the listening to configuration. It may wait for a reload that is under way.</summary>
    public void Dispose() => _reloads.Dispose();

    /// <summary>The options of the keys of this client; null when its requests get none.</summary>
    internal IdempotencyKeyOptions? KeyOptionsOf(string client)
    {
        if (Registrations.Effective(_keys, client, k => k.Client, k => k.Configure is null, "IdempotencyKey") is not { } registration) return null;
        IdempotencyKeyOptions options = new();
        registration.Configure!(options, _services);
        options.ThrowIfInvalid();
        return options;
    }

    /// <summary>What is wrong with a pipeline of HTTP that was registered for a client of gRPC; null: nothing, or it came by the defaults, and lets
    /// gRPC pass.</summary>
    internal string? MistakeAboutGrpc(string client)
    {
        if (!_registered.Any(r => r.Client == client && !r.IsRemoval) || !IsOfGrpc(client)) return null;
        return $"The HttpClient '{client}' is a gRPC client, whose statuses are in trailers that a pipeline of HTTP does not see: every UNAVAILABLE would be a "
            + "success to it. Say AddGrpcResilience() (package Resilience.Grpc) in place of AddStandardResilience() or AddResilience().";
    }

    /// <summary>What <c>AddGrpcClient</c> puts into the options of the handlers is known by its assembly, which this package does not refer to.</summary>
    private bool IsOfGrpc(string client) => _services.GetService<IOptionsMonitor<HttpClientFactoryOptions>>()?.Get(client).HttpMessageHandlerBuilderActions
        .Any(static action => action.Target?.GetType().Assembly.GetName().Name == "Grpc.Net.ClientFactory") == true;

    IEnumerable<string> IStartCheck.FindProblems()
    {
        // The defaults are checked by the client that has no name.
        IEnumerable<string?> clients = _registered.Select(r => r.Client).Concat(_keys.Select(k => k.Client)).Concat(_endpoints.Select(e => e.Client));
        foreach (string client in clients.Select(c => c ?? "").Distinct(StringComparer.Ordinal))
        {
            List<string> problems = [];
            try
            {
                Find(client);
                KeyOptionsOf(client);
                if (MistakeAboutGrpc(client) is { } mistake) problems.Add(mistake);
            }
            catch (OptionsValidationException wrong)
            {
                problems.AddRange(wrong.Failures);
            }
            catch (Exception error) when (error is not ObjectDisposedException)
            {
                problems.Add((error is InvalidOperationException ? "" : $"The HttpClient '{client}': ") + SafeCalls.MessageOf(error));
            }

            foreach (string problem in problems) yield return problem;
        }
    }

    private HttpClientPipelines Build(string client) => _made[client] = new(Make(client));

    private HttpResilience? Make(string client)
    {
        HttpRegistration? registration = Registrations.Effective(_registered, client, r => r.Client, r => r.IsRemoval, "Resilience");
        if (registration is null)
        {
            return EndpointsOf(client) is null ? null : throw new InvalidOperationException(
                $"The HttpClient '{client}' has AddEndpoints and no pipeline in which an endpoint could be chosen: say AddStandardResilience too.");
        }

        ILogger logger = ContainerSetup.Logger(_services);
        if (registration.Custom is not null && EndpointsOf(client) is not null)
        {
            throw new InvalidOperationException(
                $"The HttpClient '{client}' has a pipeline of its own, so AddEndpoints does not know its place: say it on the builder of the pipeline.");
        }

        HttpResilience made = registration.Custom is { } custom
            ? MakeCustom(client, registration, custom, logger)
            : MakeStandard(client, registration, logger);
        return Warned(made, logger);
    }

    private static HttpResilience Warned(HttpResilience made, ILogger logger)
    {
        foreach (PipelineWarning warning in made.Describe().Warnings) ResilienceLog.PipelineWarning(logger, made.Name, warning.Code, warning.Message);
        return made;
    }

    private HttpResilience MakeCustom(
        string client, HttpRegistration registration, Action<ResiliencePipelineBuilder<HttpResponseMessage>, IServiceProvider> custom, ILogger logger)
    {
        CustomResilienceOptions options = new();
        registration.CustomOptions?.Invoke(options);
        AgreeOnKey(client, options);
        return Located(client, () => HttpResilience.Custom(
            builder =>
            {
                ContainerSetup.Apply(builder, _services, logger);

                // A classifier that was set for all pipelines knows nothing of HTTP: the table stands behind its rules.
                builder.Classify(rules => rules.Http(options.ThrottlingCounts));
                custom(builder, _services);
            },
            options,
            client));
    }

    private HttpResilience MakeStandard(string client, HttpRegistration registration, ILogger logger)
    {
        IConfiguration? section = registration.Path is { } known ? _services.GetRequiredService<IConfiguration>().GetSection(known) : registration.Section;
        if (section is null) return Located(client, () => NewStandard(Options(client, registration)));

        OptionsSection<StandardResilienceOptions> followed = new(_services, client, section, () => Options(client, registration));
        try
        {
            HttpResilience made = followed.Follow(NewStandard, (client, options) =>
            {
                client.Update(options);
                Warned(client, logger);
            });
            _reloads.Add(followed);
            return made;
        }
        catch
        {
            followed.Dispose();
            throw;
        }

        HttpResilience NewStandard(StandardResilienceOptions options) =>
            HttpResilience.Standard(options, client, builder => ContainerSetup.Apply(builder, _services, logger));
    }

    private StandardResilienceOptions Options(string client, HttpRegistration registration)
    {
        StandardResilienceOptions options = new();
        registration.Standard?.Invoke(options, _services);
        AgreeOnKey(client, options);
        AddEndpoints(client, options);
        return options;
    }

    /// <summary>What <c>AddEndpoints</c> said of this client: once, or it is an error.</summary>
    private void AddEndpoints(string client, StandardResilienceOptions options)
    {
        if (EndpointsOf(client) is not { } endpoints) return;
        if (endpoints.Configure is { } configure) configure(options.Endpoints ??= new(), _services);
        else options.SharedEndpoints = _sets.GetOrAdd(client, _ => endpoints.Make!(_services)); // by one thread: a client is built once, and reloads take turns
    }

    internal bool HasEndpoints(string client) => Array.Exists(_endpoints, e => e.Client == client);

    private EndpointRegistration? EndpointsOf(string client)
    {
        EndpointRegistration[] own = Array.FindAll(_endpoints, e => e.Client == client);
        if (own.Length > 1) throw new InvalidOperationException($"The HttpClient '{client}': AddEndpoints was called twice.");
        return own.Length == 0 ? null : own[0];
    }

    /// <summary>The header that makes a request repeatable is the one in which the client's keys travel.</summary>
    private void AgreeOnKey(string client, HttpResilienceOptions options)
    {
        if (options.IdempotencyHeader == IdempotencyKeyOptions.DefaultHeader && KeyOptionsOf(client) is { } keys) options.IdempotencyHeader = keys.HeaderName;
    }

    /// <summary>Says which client the problems are of.</summary>
    private static HttpResilience Located(string client, Func<HttpResilience> make)
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

    private static OptionsValidationException Wrong(string client, IEnumerable<string?> problems) =>
        new(client, typeof(StandardResilienceOptions), problems.Select(p => $"The HttpClient '{client}': {p}"));

    /// <param name="Resilience">Null for a client without resilience.</param>
    private sealed record HttpClientPipelines(HttpResilience? Resilience);
}

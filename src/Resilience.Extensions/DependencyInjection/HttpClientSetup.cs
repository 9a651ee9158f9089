using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Resilience.Http;

namespace Resilience;

/// <summary>Puts the handlers into the chains that <c>IHttpClientFactory</c> makes, each once, and looks at the clients themselves.</summary>
internal sealed class HttpClientSetup(HttpResilienceProvider provider, ILoggerFactory? loggers = null) : IPostConfigureOptions<HttpClientFactoryOptions>
{
    private static readonly TimeSpan DefaultClientTimeout = TimeSpan.FromSeconds(100); // of HttpClient

    private static readonly ConditionalWeakTable<HttpMessageHandler, object> SwitchedOff = [];

    private readonly ILogger? _logger = SafeLogger.Of(loggers, ResilienceLog.Category);
    private readonly ConcurrentDictionary<string, KeysOfOneCall> _watches = new(StringComparer.Ordinal); // of a client, whose handlers change
    private readonly ConcurrentDictionary<string, bool> _toldOfGrpc = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _warned = new(StringComparer.Ordinal);

    /// <summary>Comes after everything that was configured for the client, so it sees the timeout and the primary handler that will be used.</summary>
    public void PostConfigure(string? name, HttpClientFactoryOptions options)
    {
        string client = name ?? Options.DefaultName;
        options.HttpClientActions.Add(made => CheckTimeout(client, made));
        options.HttpMessageHandlerBuilderActions.Add(GuardRedirects);
        options.HttpMessageHandlerBuilderActions.Add(AddWitness);
        options.HttpMessageHandlerBuilderActions.Add(CheckEndpoints);
    }

    /// <summary>Endpoints need a pipeline, and no other handler that chooses an endpoint: it would choose again.</summary>
    private void CheckEndpoints(HttpMessageHandlerBuilder chain)
    {
        string client = NameOf(chain);
        if (!provider.HasEndpoints(client)) return;
        provider.Find(client); // says what is missing
        if (chain.AdditionalHandlers.Any(static h => h.GetType().Assembly.GetName().Name == "Microsoft.Extensions.ServiceDiscovery"))
            throw new InvalidOperationException($"The HttpClient '{client}' has AddEndpoints and AddServiceDiscovery, and each chooses an endpoint: keep one.");
    }

    /// <summary>The handler around the attempts. Defaults and the client's own registration both lead here; the second finds it done.</summary>
    internal void AddResilience(HttpMessageHandlerBuilder chain)
    {
        string client = NameOf(chain);
        if (provider.Find(client) is not { } resilience) return;
        if (provider.MistakeAboutGrpc(client) is { } mistake) throw new InvalidOperationException(mistake);
        if (_logger is not null && _toldOfGrpc.TryAdd(client, true)) resilience.WhenGrpcPasses = () => ResilienceLog.GrpcPassesThrough(_logger, client);
        if (_logger is not null) resilience.RetriesAbove.Tell ??= library => ResilienceLog.RetriesAreStacked(_logger, client, library);
        if (!chain.AdditionalHandlers.Any(h => h is ResilienceHttpHandler known && known.Resilience == resilience))
            chain.AdditionalHandlers.Add(new ResilienceHttpHandler(resilience));
    }

    /// <summary>The key stands outside the attempts, in whatever order the two were said.</summary>
    internal void AddIdempotencyKey(HttpMessageHandlerBuilder chain)
    {
        if (chain.AdditionalHandlers.Any(h => h is IdempotencyKeyHandler) || provider.KeyOptionsOf(NameOf(chain)) is not { } options) return;
        int attempts = chain.AdditionalHandlers.ToList().FindIndex(h => h is ResilienceHttpHandler);
        chain.AdditionalHandlers.Insert(attempts < 0 ? chain.AdditionalHandlers.Count : attempts, new IdempotencyKeyHandler(options)
        {
            Watch = _logger is null ? null : _watches.GetOrAdd(NameOf(chain), WatchOf, _logger),
        });
    }

    private static KeysOfOneCall WatchOf(string client, ILogger logger) => new(() => ResilienceLog.KeysOfOneCallDiffer(logger, client));

    private static string NameOf(HttpMessageHandlerBuilder chain) => chain.Name ?? Options.DefaultName;

    /// <summary>The framework's own redirects would carry the key to other origins: they are switched off and done by us.</summary>
    private void GuardRedirects(HttpMessageHandlerBuilder chain)
    {
        if (provider.KeyOptionsOf(NameOf(chain)) is not { } options || chain.AdditionalHandlers.Any(h => h is SafeRedirectHandler)) return;
        int max = 50;
        try
        {
            switch (chain.PrimaryHandler)
            {
                case SocketsHttpHandler { AllowAutoRedirect: true } sockets:
                    max = sockets.MaxAutomaticRedirections;
                    sockets.AllowAutoRedirect = false;
                    break;
                case HttpClientHandler { AllowAutoRedirect: true } classic:
                    max = classic.MaxAutomaticRedirections;
                    classic.AllowAutoRedirect = false;
                    break;
                default:
                    if (!SwitchedOff.TryGetValue(chain.PrimaryHandler, out _)) return; // it does not follow, and we were not asked to
                    break;
            }
        }
        catch (InvalidOperationException) // it is in use already elsewhere
        {
            if (_logger is not null) ResilienceLog.RedirectsNotGuarded(_logger, NameOf(chain));
            return;
        }

        SwitchedOff.AddOrUpdate(chain.PrimaryHandler, this);
        chain.AdditionalHandlers.Add(new SafeRedirectHandler(options.HeaderName, max));
    }

    /// <summary>The innermost handler: what it sees go down is what the transport gets.</summary>
    private static void AddWitness(HttpMessageHandlerBuilder chain)
    {
        if (chain.AdditionalHandlers.Any(h => h is ResilienceHttpHandler) && !chain.AdditionalHandlers.Any(h => h is TransportWitness))
            chain.AdditionalHandlers.Add(new TransportWitness());
    }

    /// <summary>A client that gives up before its pipeline does makes the pipeline's times a fiction.</summary>
    private void CheckTimeout(string client, HttpClient made)
    {
        if (provider.Find(client) is not { } resilience) return;
        resilience.Follow(made); // what we buffer, the client does not look at again
        if (made.Timeout == Timeout.InfiniteTimeSpan || resilience.TotalTimeout is not { } total || made.Timeout > total) return;
        if (made.Timeout == DefaultClientTimeout)
        {
            // It was not configured, and the pipeline ends the call. It bounded the reading of the body too: from now on we do.
            made.Timeout = Timeout.InfiniteTimeSpan;
            resilience.BoundsBodies = true;
        }
        else if (_logger is not null && _warned.TryAdd(client, true))
        {
            ResilienceLog.ClientTimeoutTooShort(_logger, client, SpanText.Of(made.Timeout), SpanText.Of(total));
        }
    }
}

using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Resilience.Extensibility;

namespace Resilience.Http;

/// <summary>Everything that the requests of one <see cref="HttpClient"/> share: options, and a pipeline for each authority. Handlers come
/// and go; this stays.</summary>
/// <remarks>Thread-safe. Make one for each client and give it to each <see cref="ResilienceHttpHandler"/> of that client; with
/// <c>IHttpClientFactory</c> that is done for you.</remarks>
public sealed class HttpResilience
{
    private readonly ConcurrentDictionary<AuthorityKey, HttpAuthority> _authorities = [];

    // The delegates that build run once for each authority and under no lock; null stands for the overflow.
    private readonly BuildGate<AuthorityKey?> _builds = new("authority");
    private readonly object _updating = new(); // one update at a time; requests never wait for it
    private readonly Lock _changing = new(); // putting in, forgetting and replacing; requests to known authorities never touch it
    private Recipe _recipe;
    private long _lookAgainAt = long.MinValue;

    // The pattern checks and describes. No request passes it, so its policies make no metric series; the first request that finds no place gets
    // a pipeline that is seen.
    private readonly HttpAuthority _pattern;
    private readonly string? _meterText;
    private readonly HashSet<string> _shown = new(StringComparer.Ordinal); // names that telemetry knows; they stay, as series do
    private volatile HttpAuthority _overflow;
    private volatile FirstAuthority? _first;
    private LastClient? _client;

    private HttpResilience(string name, HttpResilienceOptions options, Action<ResiliencePipelineBuilder<HttpResponseMessage>> build)
    {
        ArgumentNullException.ThrowIfNull(name);
        options.ThrowIfInvalid();
        Name = name;
        _recipe = new(build, options);
        ResiliencePipelineBuilder<HttpResponseMessage> builder = NewBuilder("*", _recipe);
        Time = SafeCalls.Time(builder.TimeProvider);
        _meterText = builder.MeterFactory is { } meters ? meters.GetType().Name : null;
        builder.MeterFactory = SilentMeterFactory.Meters;
        _pattern = _overflow = new("*", "*", builder.Build());
        Look();
    }

    /// <summary>The standard pipeline, with or without changes.</summary>
    /// <param name="options">Null: the defaults.</param>
    /// <param name="name">The name of the client, for telemetry and messages.</param>
    /// <param name="configure">Sees the builder before the policies are added: time, randomness, listeners, classifier. Runs once for
    /// each authority.</param>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    /// <exception cref="ResiliencePipelineException">The times do not fit together, and it is not marked as intended.</exception>
    public static HttpResilience Standard(
        StandardResilienceOptions? options = null, string name = "", Action<ResiliencePipelineBuilder<HttpResponseMessage>>? configure = null)
    {
        StandardResilienceOptions own = (options ?? new()).Copy();
        return new(name, own, BuildStandard(own, configure)) { _configureStandard = configure, IsStandard = true };
    }

    /// <summary>A pipeline of your own.</summary>
    /// <param name="build">Adds the policies. Runs once for each authority, and once to check. The builder begins with
    /// <see cref="HttpClassifier.Default"/>.</param>
    /// <param name="options">Null: the defaults.</param>
    /// <param name="name">The name of the client, for telemetry and messages.</param>
    /// <exception cref="ArgumentNullException"><paramref name="build"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    public static HttpResilience Custom(
        Action<ResiliencePipelineBuilder<HttpResponseMessage>> build, CustomResilienceOptions? options = null, string name = "")
    {
        ArgumentNullException.ThrowIfNull(build);
        return new(name, (options ?? new()).Copy(), build);
    }

    private Action<ResiliencePipelineBuilder<HttpResponseMessage>>? _configureStandard;

    private bool IsStandard { get; init; }

    /// <summary>The name of the client.</summary>
    public string Name { get; }

    /// <summary>The authorities that are known now, in no order. <see cref="Overflow"/> is not among them.</summary>
    public IReadOnlyList<HttpAuthority> Authorities => [.. _authorities.Values];

    /// <summary>What authorities share that found no place; see <see cref="HttpResilienceOptions.MaxAuthorities"/>.</summary>
    public HttpAuthority Overflow => _overflow;

    /// <summary>The policies, their options and the findings about their order.</summary>
    public PipelineDescription Describe()
    {
        PipelineDescription described = _pattern.Pipeline.Describe();
        return described with
        {
            Name = Name,
            Settings = [.. described.Settings.Where(s => s.Key != "meter factory"), .. Meter()], // authorities that are only described measure nothing
        };
    }

    private IEnumerable<KeyValuePair<string, string>> Meter() => _meterText is null ? [] : [new("meter factory", _meterText)];

    /// <summary>The authority of this address, known from now on.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="uri"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="uri"/> is relative, or partitions are not made by authority.</exception>
    public HttpAuthority For(Uri uri)
    {
        ArgumentNullException.ThrowIfNull(uri);
        if (!uri.IsAbsoluteUri) throw new ArgumentException($"The address '{uri}' is relative and has no authority.", nameof(uri));
        if (Options.PartitionBy is not null)
            throw new ArgumentException("This client makes its partitions by PartitionBy, not by authority: look for them in Authorities.", nameof(uri));
        return Find(AuthorityKey.Of(uri));
    }

    /// <summary>Changes the options of all authorities; circuits, budgets and limits keep their state. Only for a client that was made
    /// with <see cref="Standard"/>.</summary>
    /// <remarks>Everything is checked and built first, for all authorities; if anything is wrong nothing has changed in any. Calls that are
    /// under way end by the old policies.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="InvalidOperationException">The pipeline is one of your own.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    /// <exception cref="ResiliencePipelineException">The times do not fit together, and it is not marked as intended.</exception>
    public void Update(StandardResilienceOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!IsStandard) throw new InvalidOperationException("This client has a pipeline of its own: update the pipelines of its Authorities.");
        options = options.Copy();
        options.ThrowIfInvalid();
        Action<ResiliencePipelineBuilder<HttpResponseMessage>> build = BuildStandard(options, _configureStandard);
        lock (_updating)
        {
            Recipe next = new(build, options);
            Dictionary<HttpAuthority, ResiliencePipelineBuilder<HttpResponseMessage>> builders = [];
            while (!TryApply(next, builders))
            {
                foreach (HttpAuthority authority in AllOf()) if (!builders.ContainsKey(authority)) builders[authority] = BuilderFor(authority, next);
            }
        }
    }

    internal TimeProvider Time { get; }

    /// <summary>What is known of retries above this client.</summary>
    internal RetriesAbove RetriesAbove { get; } = new();

    /// <summary>Is told once that requests of gRPC go through.</summary>
    internal Action? WhenGrpcPasses { get; set; }

    internal void TellOfGrpc()
    {
        if (WhenGrpcPasses is not { } tell) return;
        WhenGrpcPasses = null;
        tell();
    }

    /// <summary>How long the pipeline lets a call take; null when it does not limit that.</summary>
    internal TimeSpan? TotalTimeout { get; private set; }

    /// <summary>Whether attempts may run beside each other.</summary>
    internal bool IsHedged { get; private set; }

    /// <summary>Whether a limit counts who is under way, so that a place may be kept until the end of a body.</summary>
    internal bool HasPlaces { get; private set; }

    /// <summary>Whether the client's own timeout was lifted, which bounded the reading of bodies too.</summary>
    internal bool BoundsBodies { get; set; }

    /// <summary>Whether anything becomes of a body, unless a request wants otherwise.</summary>
    internal bool TouchesBodies(HttpResilienceOptions options) =>
        options.BufferResponses || options.ReadIdleTimeout is not null || options.BodyTimeout is not null || BoundsBodies || HasPlaces;

    /// <summary>The largest body that the client would read into memory (<see cref="HttpClient.MaxResponseContentBufferSize"/>), where it is known.</summary>
    internal long ClientBufferBytes => Volatile.Read(ref _client) is not { } last ? long.MaxValue
        : last.Made.TryGetTarget(out HttpClient? client) ? client.MaxResponseContentBufferSize
        : last.BufferBytes;

    /// <summary>The client that was made last. Who gets it may set it up yet: the constructor of a typed client does.</summary>
    internal void Follow(HttpClient client) => Volatile.Write(ref _client, new(new(client), client.MaxResponseContentBufferSize));

    internal HttpResilienceOptions Options => Volatile.Read(ref _recipe).Options;

    /// <summary>Gets new credentials where the options say how; otherwise null.</summary>
    internal CredentialRefresh<HttpRequestMessage>? Credentials => Volatile.Read(ref _recipe).Credentials;

    internal HttpAuthority Find(HttpRequestMessage request, HttpResilienceOptions options)
    {
        if (options.PartitionBy is { } partition) return Find(AuthorityKey.Of(Partition(partition, request)));
        return request.RequestUri is { IsAbsoluteUri: true } uri ? Find(AuthorityKey.Of(uri)) : Shared(); // the inner handler will say what is wrong
    }

    private void Look()
    {
        TotalTimeout = FindTotal();
        IReadOnlyList<PolicyDescription> policies = _pattern.Pipeline.Describe().Policies;
        IsHedged = Hedges(policies);
        HasPlaces = Limits(policies);
    }

    private static bool Limits(IReadOnlyList<PolicyDescription> policies) =>
        policies.Any(p => p.Role is PolicyRole.ConcurrencyLimit or PolicyRole.RateLimit || Limits(p.Inner));

    private static bool Hedges(IReadOnlyList<PolicyDescription> policies) =>
        policies.Any(p => p is { Role: PolicyRole.Hedging, MaxAttempts: not 1 } || Hedges(p.Inner));

    private TimeSpan? FindTotal() =>
        _pattern.Pipeline.Describe().Policies.FirstOrDefault(p => p.Role is PolicyRole.Timeout or PolicyRole.Retry) is { Role: PolicyRole.Timeout } outermost
            ? outermost.Timeout
            : null;

    private static Action<ResiliencePipelineBuilder<HttpResponseMessage>> BuildStandard(
        StandardResilienceOptions options, Action<ResiliencePipelineBuilder<HttpResponseMessage>>? configure) => builder =>
        {
            configure?.Invoke(builder);
            builder.Classify(rules => rules.Http(options.ThrottlingCounts)); // also where a classifier was set that knows nothing of it
            options.AddTo(builder);
        };

    private static string Partition(Func<HttpRequestMessage, string?> partition, HttpRequestMessage request)
    {
        try
        {
            return partition(request) ?? "";
        }
        catch (Exception error)
        {
            HttpTelemetry.CallbackFailed("http PartitionBy", error);
            return "";
        }
    }

    /// <summary>Most clients ask one authority: the first is compared before anything is hashed.</summary>
    private HttpAuthority Find(AuthorityKey key)
    {
        if (_first is { } first && first.Key == key && !first.Authority.IsForgotten) return first.Authority;
        return _authorities.TryGetValue(key, out HttpAuthority? known) ? known : Make(key);
    }

    private HttpAuthority Make(AuthorityKey key) => _builds.GetOrBuild(key, FindOrOverflow, Build);

    private HttpAuthority? FindOrOverflow(AuthorityKey? key)
    {
        if (_authorities.TryGetValue(key!.Value, out HttpAuthority? known)) return known;
        lock (_changing)
        {
            if (_authorities.Count < Options.MaxAuthorities || Forget()) return null;
        }

        return Shared();
    }

    private HttpAuthority Build(AuthorityKey? key)
    {
        string name = key!.Value.ToString(), shown;
        lock (_changing) shown = ShownName(name);
        while (true)
        {
            Recipe recipe = Volatile.Read(ref _recipe);
            HttpAuthority made = new(name, shown, NewBuilder(shown, recipe).Build());
            made.Touch(Time.GetTimestamp());
            lock (_changing)
            {
                if (recipe != _recipe) continue; // updated meanwhile: an update knows only those that are in
                if (_authorities.Count < recipe.Options.MaxAuthorities || Forget())
                {
                    if (_first is null or { Authority.IsForgotten: true }) _first = new(key.Value, made);
                    return _authorities[key.Value] = made;
                }
            }

            return Shared(); // others have taken the last places
        }
    }

    /// <summary>What all share that find no place, made when the first one comes.</summary>
    private HttpAuthority Shared() =>
        _overflow != _pattern ? _overflow : _builds.GetOrBuild(null, _ => _overflow != _pattern ? _overflow : null, _ => BuildOverflow());

    /// <summary>What an operator did to the pattern before stays done.</summary>
    private HttpAuthority BuildOverflow()
    {
        while (true)
        {
            Recipe recipe = Volatile.Read(ref _recipe);
            HttpAuthority made = new(_pattern.Name, _pattern.ShownName, NewBuilder(_pattern.ShownName, recipe).Build());
            if (_pattern.CircuitBreaker?.State == CircuitState.Isolated) made.CircuitBreaker?.Isolate();
            lock (_changing)
            {
                if (recipe == _recipe) return _overflow = made;
            }
        }
    }

    /// <summary>Everything an update changes.</summary>
    private List<HttpAuthority> AllOf()
    {
        List<HttpAuthority> all = [_pattern, .. _authorities.Values];
        if (_overflow != _pattern) all.Add(_overflow);
        return all;
    }

    /// <summary>The builder that an update gives to one authority: code of the user runs.</summary>
    private ResiliencePipelineBuilder<HttpResponseMessage> BuilderFor(HttpAuthority authority, Recipe recipe)
    {
        ResiliencePipelineBuilder<HttpResponseMessage> builder = NewBuilder(authority.ShownName, recipe);
        if (authority == _pattern) builder.MeterFactory = SilentMeterFactory.Meters;
        return builder;
    }

    /// <summary>Puts the recipe in force everywhere, in one step; false when an authority has come for which there is no builder yet.</summary>
    private bool TryApply(Recipe next, Dictionary<HttpAuthority, ResiliencePipelineBuilder<HttpResponseMessage>> builders)
    {
        lock (_changing)
        {
            List<HttpAuthority> all = AllOf();
            if (!all.TrueForAll(builders.ContainsKey)) return false;
            ResiliencePipeline<HttpResponseMessage>.UpdateAll(all.Select(a => KeyValuePair.Create(a.Pipeline, builders[a])));
            Volatile.Write(ref _recipe, next);
            Look();
            return true;
        }
    }

    /// <summary>A metric series lives as long as the process: there is one for each of the first authorities, and one for all others.</summary>
    private string ShownName(string name) =>
        _shown.Contains(name) || (_shown.Count < Options.MaxNamedAuthorities && _shown.Add(name)) ? name : "other";

    /// <summary>Makes room: the least used tenth of those that nothing would be lost with.</summary>
    private bool Forget()
    {
        // When nothing can be forgotten, looking again at each request would only cost time.
        long now = Time.GetTimestamp();
        if (now < _lookAgainAt) return false;
        _lookAgainAt = now + Time.TimestampFrequency;
        int excess = _authorities.Count - Options.MaxAuthorities + 1;
        KeyValuePair<AuthorityKey, HttpAuthority>[] leastUseful =
        [
            .. _authorities.OrderBy(a => a.Value.LastUsed).Where(a => a.Value.IsForgettable).Take(Math.Max(excess, Options.MaxAuthorities / 10)),
        ];
        foreach (KeyValuePair<AuthorityKey, HttpAuthority> one in leastUseful)
        {
            one.Value.IsForgotten = true;
            _authorities.TryRemove(one);
        }

        if (_authorities.Count >= Options.MaxAuthorities) return false;
        _lookAgainAt = long.MinValue;
        return true;
    }

    private ResiliencePipelineBuilder<HttpResponseMessage> NewBuilder(string authority, Recipe recipe)
    {
        ResiliencePipelineBuilder<HttpResponseMessage> builder = new()
        {
            Name = Name.Length == 0 ? authority : $"{Name}/{authority}",
            Classifier = OutcomeClassifier.Default.Http(recipe.Options.ThrottlingCounts),
        };
        recipe.Build(builder);
        if (recipe.Options.Classify is { } rules) builder.Classify(rules);
        return builder;
    }

    /// <summary>What pipelines are built by; replaced as a whole.</summary>
    private sealed class Recipe(Action<ResiliencePipelineBuilder<HttpResponseMessage>> build, HttpResilienceOptions options)
    {
        internal Action<ResiliencePipelineBuilder<HttpResponseMessage>> Build => build;

        /// <summary>Our copy.</summary>
        internal HttpResilienceOptions Options => options;

        internal CredentialRefresh<HttpRequestMessage>? Credentials { get; } =
            options.RefreshCredentials is { } refresh ? new("http RefreshCredentials", refresh) : null;
    }

    /// <summary>Meters without listeners: instruments of a meter that has been disposed of are never published.</summary>
    private sealed class SilentMeterFactory : IMeterFactory
    {
        internal static readonly SilentMeterFactory Meters = new();

        private readonly Meter _meter = new("Resilience.Silent");

        private SilentMeterFactory() => _meter.Dispose();

        public Meter Create(MeterOptions options) => _meter;

        public void Dispose()
        {
        }
    }

    private sealed record FirstAuthority(AuthorityKey Key, HttpAuthority Authority);

    private sealed record LastClient(WeakReference<HttpClient> Made, long BufferBytes);
}

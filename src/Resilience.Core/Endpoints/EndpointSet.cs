using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>Chooses among the endpoints of a service: the less loaded of two, none that fails, and each that has recovered again, carefully. Usable alone.
/// Thread-safe and lock-free.</summary>
/// <remarks>
/// Load is the latency that is expected (a moving average that takes a peak at once) times the calls under way. A failure counts as a second at least,
/// however fast it came. The endpoints are compared once in an interval, by the call that finds it over; there is no timer.
/// </remarks>
/// <example><code>
/// EndpointSet endpoints = new(new EndpointSetOptions { Addresses = { new("http://10.0.0.1"), new("http://10.0.0.2") } });
/// if (endpoints.TryPick() is not { } pick) return NotConfigured();
/// bool isAnswered = await AskAsync(pick.Endpoint.Address);
/// endpoints.Release(pick, isAnswered ? EndpointEnd.Answered : EndpointEnd.Failed);
/// </code></example>
public sealed partial class EndpointSet : IPolicyStatus
{
    /// <summary>The endpoint that was chosen for an attempt, for its delegate.</summary>
    public static readonly ResilienceProperty<TargetEndpoint> Chosen = new("endpoint");

    private const int Draws = 8;

    private readonly EndpointTerms _terms;
    private readonly EndpointClock _clock;
    private readonly string _identity;
    private PolicyEnvironment _environment; // changes when the pipeline is updated; the clock stays
    private EndpointSetOptions _options; // replaced as a whole
    private TargetEndpoint[] _all = []; // likewise
    private int _out; // how many are left out; never more than the options allow
    private int _turn; // of RoundRobin
    private long _sweepAtMs; // when the interval is over; who moves it compares
    private int _isPanic; // 1: all are used

    /// <summary>Makes a set to be used alone or shared between pipelines.</summary>
    /// <param name="options">A copy is taken.</param>
    /// <param name="timeProvider">Default: the system's.</param>
    /// <param name="randomness">Draws the endpoints that are compared. Default: <see cref="Randomness.Shared"/>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    public EndpointSet(EndpointSetOptions options, TimeProvider? timeProvider = null, Randomness? randomness = null)
        : this(options, PolicyEnvironment.Standalone(NameOf(options), timeProvider, randomness)) => EndpointTelemetry.Watch(_environment, this);

    internal EndpointSet(EndpointSetOptions options, PolicyEnvironment environment, EndpointTerms? terms = null, string? identity = null)
    {
        EndpointSetOptions own = options.Copy(); // before the check: what is checked is what is used
        own.ThrowIfInvalid();
        _environment = environment;
        _clock = new(environment.Clock) { DecayMs = own.DecayTime.TotalMilliseconds };
        _terms = terms ?? new();
        _identity = identity ?? $"{Environment.MachineName}|{Environment.ProcessId}";
        _options = own;
        _sweepAtMs = IntervalMs(own);
        Replace([.. own.Addresses]);
    }

    /// <summary>The name, as in telemetry.</summary>
    public string Name => _environment.PolicyName;

    internal string PipelineName => _environment.PipelineName;

    /// <summary>The endpoints that this process uses, in the order of the list.</summary>
    public IReadOnlyList<TargetEndpoint> Endpoints => Volatile.Read(ref _all); // acquire: whole before it can be seen

    /// <summary>How many are left out now.</summary>
    public int Ejected => Volatile.Read(ref _out);

    /// <summary>Whether so many fail that all are used (<see cref="EndpointEjectionOptions.PanicBelow"/>).</summary>
    public bool IsPanic => Volatile.Read(ref _isPanic) != 0;

    internal EndpointSetOptions Options => Volatile.Read(ref _options);

    private static string NameOf(EndpointSetOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.GetName();
    }

    private static long IntervalMs(EndpointSetOptions options) => Clock.ToMs(options.Ejection?.Interval ?? TimeSpan.FromSeconds(2));

    /// <summary>Chooses an endpoint for a call that begins now.</summary>
    /// <param name="tried">Endpoints to which it does not go, where there is another.</param>
    /// <returns>Null: there are no endpoints.</returns>
    public EndpointPick? TryPick(params ReadOnlySpan<TargetEndpoint> tried)
    {
        TargetEndpoint[] all = Volatile.Read(ref _all);
        if (all.Length == 0) return null;
        long nowMs = _clock.NowMs;
        if (nowMs >= Volatile.Read(ref _sweepAtMs)) Sweep(nowMs);
        TargetEndpoint? chosen = FindProbe(all, nowMs, tried);
        bool isProbe = chosen is not null;
        chosen ??= Options.Choice switch
        {
            EndpointChoice.PowerOfTwo => LessLoadedOfTwo(all, nowMs, tried),
            EndpointChoice.RoundRobin => FirstUsable(all, (int)((uint)Interlocked.Increment(ref _turn) % (uint)all.Length), nowMs, tried),
            _ => FirstUsable(all, 0, nowMs, tried),
        };
        chosen ??= AnyOf(all, nowMs, tried);
        chosen.Begin();
        return new(chosen, _clock.Timestamp, isProbe);
    }

    /// <summary>The call has ended.</summary>
    /// <param name="pick">What <see cref="TryPick"/> gave, not released before.</param>
    /// <param name="end">How.</param>
    /// <exception cref="ArgumentException"><paramref name="pick"/> is default.</exception>
    public void Release(in EndpointPick pick, EndpointEnd end)
    {
        if (pick.Endpoint is not { } endpoint) throw new ArgumentException("A pick of a set of endpoints.", nameof(pick));
        bool isProbe = pick.IsProbe;
        endpoint.End();
        double ms = _clock.MsSince(pick.BeganAt);
        switch (end)
        {
            case EndpointEnd.Answered:
                endpoint.Answered(ms);
                break;
            case EndpointEnd.Failed:
                int inARow = endpoint.Failed(Math.Max(ms, _terms.LeastCostOfFailureMs));
                if (!isProbe && Options.Ejection is { } ejection && inARow >= ejection.ConsecutiveFailures)
                    Eject(endpoint, EjectionReason.ConsecutiveFailures);
                break;
            case EndpointEnd.Throttled:
                endpoint.Observe(Math.Max(ms, _terms.LeastCostOfFailureMs), isExact: true);
                break;
            case EndpointEnd.Cut:
                endpoint.Observe(ms, isExact: false);
                break;
        }

        if (isProbe) ProbeEnded(endpoint, end);
    }

    /// <summary>Puts another list in force. Endpoints that stay keep what is known of them; calls under way to others end as they would have.</summary>
    /// <param name="addresses">Absolute addresses; each is used once.</param>
    /// <exception cref="ArgumentNullException"><paramref name="addresses"/> is null.</exception>
    /// <exception cref="ArgumentException">One is null or relative: the list stays as it was.</exception>
    public void SetAddresses(IEnumerable<Uri> addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        Uri[] list = [.. addresses];
        if (Array.Find(list, static a => a is not { IsAbsoluteUri: true }) is not null || Array.IndexOf(list, null) >= 0)
            throw new ArgumentException("Addresses of endpoints are absolute.", nameof(addresses));
        Replace(list);
    }

    /// <summary>Changes the options of a living set. Endpoints that stay keep what is known of them.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range; the old ones stay in effect.</exception>
    public void Update(EndpointSetOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        EndpointSetOptions own = options.Copy();
        own.ThrowIfInvalid();
        _clock.DecayMs = own.DecayTime.TotalMilliseconds;
        Volatile.Write(ref _options, own); // release: whole before it can be seen
        Replace([.. own.Addresses]);
    }

    /// <summary>As <see cref="Update"/>, and it goes by the names of another environment from now on.</summary>
    internal void Adopt(EndpointSetOptions options, PolicyEnvironment environment)
    {
        // Full fence: the environment is whole before an event can name it.
        PolicyEnvironment former = Interlocked.Exchange(ref _environment, environment);
        Update(options);
        if (ReferenceEquals(former.Meter, environment.Meter)) return;
        EndpointTelemetry.Unwatch(former, this);
        EndpointTelemetry.Watch(environment, this);
    }

    /// <summary>An update has left its policy out.</summary>
    internal void Abandon(PolicyEnvironment environment)
    {
        if (ReferenceEquals(Volatile.Read(ref _environment), environment)) EndpointTelemetry.Unwatch(environment, this);
    }

    private void Replace(Uri[] addresses)
    {
        List<Uri> distinct = Rendezvous.Subset([.. addresses.Distinct()], Options.SubsetSize, _identity);
        while (true)
        {
            TargetEndpoint[] seen = Volatile.Read(ref _all);
            TargetEndpoint[] next = [.. distinct.Select(address => Array.Find(seen, e => e.Address == address) ?? new TargetEndpoint(address, _clock))];
            if (Interlocked.CompareExchange(ref _all, next, seen) != seen) continue; // full fence: one list after the other
            foreach (TargetEndpoint gone in seen.Except(next)) TakeBack(gone);
            return;
        }
    }

    // ---- the choice

    private double LoadOf(TargetEndpoint endpoint)
    {
        if (!_terms.ComparesLoad) return 0;
        if (Options.Load is not { } own) return endpoint.Load;
        try
        {
            if (own.LoadOf(endpoint) is var load && !double.IsNaN(load)) return load;
        }
        catch (Exception error)
        {
            Safely.Report("endpoints Load", error);
        }

        return endpoint.Load;
    }

    /// <summary>Draws until two are found that may be used. With a few draws that is nearly always so; where not, all are looked at.</summary>
    private TargetEndpoint? LessLoadedOfTwo(TargetEndpoint[] all, long nowMs, ReadOnlySpan<TargetEndpoint> tried)
    {
        TargetEndpoint? first = null;
        for (int draw = 0; draw < Draws; draw++)
        {
            TargetEndpoint one = all[(int)(Draw() * all.Length)];
            if (ReferenceEquals(one, first) || !IsUsable(one, nowMs, tried)) continue;
            if (first is not null) return LoadOf(one) < LoadOf(first) ? one : first;
            first = one;
        }

        return first;
    }

    private double Draw() => SafeRandomness.Draw(_environment.Randomness, 0);

    private TargetEndpoint? FirstUsable(TargetEndpoint[] all, int from, long nowMs, ReadOnlySpan<TargetEndpoint> tried)
    {
        for (int i = 0; i < all.Length; i++)
        {
            TargetEndpoint one = all[(from + i) % all.Length];
            if (IsUsable(one, nowMs, tried)) return one;
        }

        return null;
    }

    /// <summary>None could be used that should be: one that the call has not tried, else one that is not left out, else any.</summary>
    private TargetEndpoint AnyOf(TargetEndpoint[] all, long nowMs, ReadOnlySpan<TargetEndpoint> tried)
    {
        TargetEndpoint? untried = null, inUse = null;
        int from = Options.Choice == EndpointChoice.Ordered ? 0 : (int)(Draw() * all.Length);
        for (int i = 0; i < all.Length; i++)
        {
            TargetEndpoint one = all[(from + i) % all.Length];
            bool isIn = IsPanic || one.Health.Weight(nowMs) > 0;
            if (isIn && !Contains(tried, one)) return one;
            if (isIn) inUse ??= one;
            if (!Contains(tried, one)) untried ??= one;
        }

        return inUse ?? untried ?? all[from];
    }

    private bool IsUsable(TargetEndpoint endpoint, long nowMs, ReadOnlySpan<TargetEndpoint> tried)
    {
        if (Contains(tried, endpoint)) return false;
        if (IsPanic) return true;
        double weight = endpoint.Health.Weight(nowMs);
        return weight >= 1 || (weight > 0 && Draw() < weight);
    }

    private static bool Contains(ReadOnlySpan<TargetEndpoint> tried, TargetEndpoint endpoint) => tried.IndexOf(endpoint) >= 0;
}

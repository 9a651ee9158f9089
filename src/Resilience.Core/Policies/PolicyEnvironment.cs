using System.Diagnostics.Metrics;
using Resilience.Events;

namespace Resilience.Extensibility;

/// <summary>What the builder gives to a policy when it makes it: its name, time, randomness, and a door for events.</summary>
public sealed class PolicyEnvironment
{
    private readonly EventListener[] _listeners;
    private volatile object? _instruments;
    private (EventMetric Metric, SafeCounter<long> Counter)[] _counters = [];

    internal PolicyEnvironment(
        string pipelineName,
        string policyName,
        Clock clock,
        Randomness randomness,
        OutcomeClassifier classifier,
        EventListener[] listeners,
        Meter meter,
        ResiliencePolicy? former = null,
        string? hostEnvironment = null)
    {
        Meter = meter;
        HostEnvironment = hostEnvironment;
        Former = former;
        PipelineName = pipelineName;
        PolicyName = policyName;
        Clock = clock;
        Randomness = randomness;
        Classifier = classifier;
        _listeners = listeners;
    }

    /// <summary>An environment for a policy that is used alone, outside a pipeline.</summary>
    /// <param name="policyName">The name of the policy.</param>
    /// <param name="timeProvider">Default: the system's.</param>
    /// <param name="randomness">Default: <see cref="Randomness.Shared"/>.</param>
    /// <param name="listener">Hears the policy's events.</param>
    /// <exception cref="ArgumentException"><paramref name="policyName"/> is null or empty.</exception>
    public static PolicyEnvironment Standalone(
        string policyName, TimeProvider? timeProvider = null, Randomness? randomness = null, Action<ResilienceEvent>? listener = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(policyName);
        return new("", policyName, Clock.For(timeProvider ?? TimeProvider.System), randomness ?? Randomness.Shared,
            OutcomeClassifier.Default, listener is null ? [] : [new(listener)], ResilienceTelemetry.Meter);
    }

    /// <summary>The name of the pipeline, empty if it has none.</summary>
    public string PipelineName { get; }

    /// <summary>The name of the policy, unique in its pipeline.</summary>
    public string PolicyName { get; }

    /// <summary>The source of time; a policy uses no other.</summary>
    public TimeProvider TimeProvider => Clock.Provider;

    /// <summary>The source of jitter; a policy uses no other.</summary>
    public Randomness Randomness { get; }

    /// <summary>The meter that a policy makes its instruments on, once for each meter.</summary>
    public Meter Meter { get; }

    /// <summary>The pipeline's classifier.</summary>
    public OutcomeClassifier Classifier { get; }

    /// <summary>While a pipeline is updated: the policy of the same name in the pipeline as it was, whose state the new policy may take
    /// over. Null when the pipeline is built for the first time, or had no policy of this name.</summary>
    /// <remarks><see cref="CarriedState{TState, TOptions}"/> does all of it. By hand: only remember it in the constructor, and change it in
    /// <see cref="ResiliencePolicy.TakeEffect"/>, because the update may still be rejected.</remarks>
    public ResiliencePolicy? Former { get; private set; }

    /// <summary>Forgets <see cref="Former"/>: the update is over, and each update would otherwise keep all before it alive.</summary>
    internal void ForgetFormer() => Former = null;

    /// <summary>True when something would become of an event: make event objects only then.</summary>
    /// <param name="metric">What counts the event (<see cref="ResilienceEvent.GetMetric"/>); null if nothing does.</param>
    public bool IsObserved(EventMetric? metric = null) =>
        (metric is not null && CounterOf(metric).Enabled) || HasListeners || SpanEvents.Find() is not null;

    /// <summary>True when an event would be read, and not only counted: sentences are made only then.</summary>
    internal bool IsRead => HasListeners || SpanEvents.Find() is not null;

    /// <summary>True when there is a listener for what happens to single calls.</summary>
    internal bool HasListeners
    {
        get
        {
            foreach (EventListener listener in _listeners)
            {
                if (listener.WantsCalls) return true;
            }

            return false;
        }
    }

    /// <summary>True when there is any listener, if only for changes of state, which all listeners get.</summary>
    internal bool HasAnyListener => _listeners.Length > 0;

    internal Clock Clock { get; }

    /// <summary>The type of result of every call of the pipeline; null where calls may have any, and outside of pipelines.</summary>
    internal Type? ResultType { get; init; }

    /// <summary>Where the builder says that this runs; null when it does not say.</summary>
    internal string? HostEnvironment { get; }

    /// <summary>The instruments of the one policy that this environment was made for, looked up once.</summary>
    internal TInstruments Instruments<TInstruments>(Func<Meter, TInstruments> make)
        where TInstruments : class
    {
        if (_instruments is TInstruments known) return known;
        TInstruments made = MeterInstruments<TInstruments>.For(Meter, make);
        _instruments = made;
        return made;
    }

    /// <summary>The counter of this environment's meter, looked up once.</summary>
    internal SafeCounter<long> CounterOf(EventMetric metric)
    {
        foreach ((EventMetric known, SafeCounter<long> counter) in Volatile.Read(ref _counters)) // acquire: an array is never changed after it was published
        {
            if (ReferenceEquals(known, metric)) return counter;
        }

        SafeCounter<long> made = metric.On(Meter);
        Volatile.Write(ref _counters, [.. _counters, (metric, made)]); // release; one of two threads may lose its entry, and looks it up again
        return made;
    }

    /// <summary>Reports what happened: counts it, writes it on the current span and tells the listeners, in the order in which they were added.
    /// What a listener throws is counted and swallowed.</summary>
    /// <remarks>Call it after the change of state that it is about, never inside a lock or a retry loop, and ask <see cref="IsObserved"/> first where
    /// calls pass often.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="happened"/> is null.</exception>
    public void Report(ResilienceEvent happened)
    {
        ArgumentNullException.ThrowIfNull(happened);
        Record(happened);
        Forward(happened);
    }

    /// <summary>Counts it and writes it on the current span. Its overrides may be a user's.</summary>
    private void Record(ResilienceEvent happened)
    {
        try
        {
            if (happened.GetMetric() is { } metric && CounterOf(metric) is { Enabled: true } counter) counter.Add(1, happened.MetricTags());
            if (happened.GetSpanEventName() is { } name && SpanEvents.Find() is { } span) SpanEvents.Add(span, name, happened.SpanTags());
        }
        catch (Exception error)
        {
            Safely.Report("event", error);
        }
    }

    /// <summary>Tells the listeners alone: it was counted under another environment.</summary>
    internal void Forward(ResilienceEvent happened)
    {
        foreach (EventListener listener in _listeners)
        {
            try
            {
                listener.Hear(happened);
            }
            catch (Exception error)
            {
                Safely.Report("event listener", error);
            }
        }
    }
}

/// <summary>A listener of a pipeline.</summary>
/// <param name="Hear">Is told.</param>
/// <param name="ObservesCalls">Whether events of single calls are wanted now; null: always.</param>
internal readonly record struct EventListener(Action<ResilienceEvent> Hear, Func<bool>? ObservesCalls = null)
{
    internal bool WantsCalls
    {
        get
        {
            if (ObservesCalls is not { } ask) return true;
            try
            {
                return ask();
            }
            catch (Exception error)
            {
                Safely.Report("event listener", error);
                return false;
            }
        }
    }
}

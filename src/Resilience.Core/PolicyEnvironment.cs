using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>What the builder gives to a policy when it makes it: its name, time, randomness, and a door for events.</summary>
public sealed class PolicyEnvironment
{
    private readonly EventListener[] _listeners;
    private volatile object? _instruments;

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
    /// <remarks>Only remember it in the constructor; change it in <see cref="ResiliencePolicy.TakeEffect"/>, because the update may
    /// still be rejected.</remarks>
    public ResiliencePolicy? Former { get; private set; }

    /// <summary>Forgets <see cref="Former"/>: the update is over, and each update would otherwise keep all before it alive.</summary>
    internal void ForgetFormer() => Former = null;

    /// <summary>True when there is a listener for what happens to single calls: make event objects only then.</summary>
    public bool HasListeners
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

    /// <summary>Tells the listeners, in the order in which they were added. What a listener throws is counted and swallowed.</summary>
    /// <remarks>Call it after the change of state it tells of, never inside a lock or a retry loop.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="happened"/> is null.</exception>
    public void Publish(ResilienceEvent happened)
    {
        ArgumentNullException.ThrowIfNull(happened);
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

/// <summary>Something that a policy did: base of the event records.</summary>
/// <param name="PipelineName">The pipeline, empty if it has no name.</param>
/// <param name="PolicyName">The policy.</param>
public abstract record ResilienceEvent(string PipelineName, string PolicyName)
{
    /// <summary>What the caller said it was doing (<see cref="CallOptions.Operation"/>); null if it did not say, or if the event belongs
    /// to no single call.</summary>
    public string? Operation { get; init; }

    /// <summary>A stable number for the line in a log; zero (default) if it has none of its own. Numbers below 1000 are the library's.</summary>
    public virtual int GetEventId() => 0;

    /// <summary>How much it matters. Default <see cref="ResilienceEventLevel.Debug"/>.</summary>
    public virtual ResilienceEventLevel GetLevel() => ResilienceEventLevel.Debug;

    /// <summary>The exception that a log prints with the line; default null.</summary>
    public virtual Exception? GetException() => null;

    /// <summary>What happened, in a sentence without the names of pipeline and policy, which stand before it in a log. Default: the record itself.
    /// Called only where the line is written.</summary>
    public virtual EventMessage GetMessage()
    {
        ResilienceEvent happened = this;
        return $"{happened}";
    }

    /// <summary>The sentence of a rejection without the names before it, which stand before the message already.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rejection"/> is null.</exception>
    protected string ReasonWithoutNames(Rejection rejection)
    {
        ArgumentNullException.ThrowIfNull(rejection);
        string reason = Safely.ReasonOf(rejection);
        foreach (string names in (ReadOnlySpan<string>)[$"{PipelineName}/{PolicyName}: ", $"{PolicyName}: "])
        {
            if (reason.StartsWith(names, StringComparison.Ordinal)) return reason[names.Length..];
        }

        return reason;
    }
}

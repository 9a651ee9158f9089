using System.Globalization;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>Rejects a share of the calls to a dependency that is overloaded, so that what is sent is about what it accepts. Usable alone. Thread-safe
/// and lock-free.</summary>
/// <remarks>
/// Each class of <see cref="Criticality"/> is counted and throttled by itself: an overload that only the lower classes see does not touch the others.
/// The share is computed anew every 100 ms at most, and when a bucket leaves the window; there is no timer. The formula is that of
/// <see cref="AdaptiveThrottleOptions"/>.
/// </remarks>
/// <example><code>
/// AdaptiveThrottle throttle = new(new AdaptiveThrottleOptions { Name = "search" });
/// if (throttle.TryEnter(Criticality.Sheddable) is { } rejection) return Degraded(rejection.Reason);
/// bool isAccepted = await SendAsync();
/// throttle.Record(Criticality.Sheddable, isAccepted);
/// </code></example>
public sealed class AdaptiveThrottle : IPolicyStatus
{
    private const long TickMs = 100;

    private PolicyEnvironment _environment; // changes when the pipeline is updated; the clock stays
    private Setup _setup; // replaced as a whole
    private Shares _shares; // likewise: computed by the thread that finds them old

    /// <summary>Makes a throttle to be used alone or shared between pipelines.</summary>
    /// <param name="options">A copy is taken. <see cref="AdaptiveThrottleOptions.IsOverload"/> and <see cref="AdaptiveThrottleOptions.Counts"/> speak of
    /// outcomes, which only a pipeline has.</param>
    /// <param name="timeProvider">Default: the system's.</param>
    /// <param name="randomness">Decides which calls are rejected. Default: <see cref="Randomness.Shared"/>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    public AdaptiveThrottle(AdaptiveThrottleOptions options, TimeProvider? timeProvider = null, Randomness? randomness = null)
        : this(options, PolicyEnvironment.Standalone(NameOf(options), timeProvider, randomness)) => AdaptiveThrottleTelemetry.Watch(_environment, this);

    internal AdaptiveThrottle(AdaptiveThrottleOptions options, PolicyEnvironment environment)
    {
        AdaptiveThrottleOptions own = options.Copy(); // before the check: what is checked is what is used
        own.ThrowIfInvalid();
        _environment = environment;
        _setup = new(own);
        _shares = Shares.None;
    }

    /// <summary>The name, as in rejections and telemetry.</summary>
    public string Name => _environment.PolicyName;

    internal string PipelineName => _environment.PipelineName;

    internal AdaptiveThrottleOptions Options => Volatile.Read(ref _setup).Options;

    private static string NameOf(AdaptiveThrottleOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.GetName();
    }

    /// <summary>Whether a call may be sent.</summary>
    /// <param name="criticality">Its class.</param>
    /// <returns>Null: send it, and call <see cref="Record"/> when it has ended. Otherwise why not.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined.</exception>
    public ThrottleRejection? TryEnter(Criticality criticality = Criticality.Critical)
    {
        Check(criticality);
        Shares shares = Now();
        double share = shares.Of(criticality);
        return share > 0 && SafeRandomness.Draw(_environment.Randomness, 1) < share ? shares.RejectionOf(criticality, _environment) : null;
    }

    /// <summary>Counts a call that was sent and has ended.</summary>
    /// <param name="criticality">Its class.</param>
    /// <param name="isAccepted">False: the dependency has shown that it is overloaded.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined.</exception>
    public void Record(Criticality criticality, bool isAccepted)
    {
        Check(criticality);
        Volatile.Read(ref _setup).Window.Count(_environment.Clock.NowMs, criticality, isAccepted); // acquire: pairs with the replacement in Update
    }

    /// <summary>The share of calls of this class that is rejected now, from 0 to <see cref="AdaptiveThrottleOptions.MaxRejection"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined.</exception>
    public double ShareRejected(Criticality criticality = Criticality.Critical)
    {
        Check(criticality);
        return Now().Of(criticality);
    }

    /// <summary>Whether calls of any class are rejected now.</summary>
    internal bool IsRejecting => Now().AreAny;

    /// <summary>Changes the options of a living throttle. What was counted stays, unless the window gets another length.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range; the old ones stay in effect.</exception>
    public void Update(AdaptiveThrottleOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        AdaptiveThrottleOptions own = options.Copy();
        own.ThrowIfInvalid();
        Setup former = Volatile.Read(ref _setup), next = new(own);
        if (next.Window.BucketMs == former.Window.BucketMs) next = next with { Window = former.Window };
        Volatile.Write(ref _setup, next); // release: whole before it can be seen
        Volatile.Write(ref _shares, Shares.None); // computed anew by the next call
    }

    /// <summary>As <see cref="Update"/>, and it goes by the names of another environment from now on.</summary>
    internal void Adopt(AdaptiveThrottleOptions options, PolicyEnvironment environment)
    {
        // Full fence: the environment is whole before a rejection can name it.
        PolicyEnvironment former = Interlocked.Exchange(ref _environment, environment);
        Update(options);
        if (ReferenceEquals(former.Meter, environment.Meter)) return;
        AdaptiveThrottleTelemetry.Unwatch(former, this);
        AdaptiveThrottleTelemetry.Watch(environment, this);
    }

    /// <summary>An update has left its policy out: its share is shown no more, unless another policy has adopted it.</summary>
    internal void Abandon(PolicyEnvironment environment)
    {
        if (ReferenceEquals(Volatile.Read(ref _environment), environment)) AdaptiveThrottleTelemetry.Unwatch(environment, this);
    }

    /// <inheritdoc/>
    PolicyStatus IPolicyStatus.GetStatus()
    {
        Shares shares = Now();
        double most = Criticalities.Max(shares.Of);
        string text = most == 0 ? "all calls pass" : string.Join(" · ", Criticalities.Where(c => shares.Of(c) > 0).Select(c =>
            string.Create(CultureInfo.InvariantCulture, $"{shares.Of(c) * 100:0.#} % of {CriticalityNames.Of(c)} rejected")));
        return new(most == 0 ? PolicyCondition.Ok : PolicyCondition.Warning, text)
        {
            Readings = [.. Criticalities.Select(c => new PolicyReading(CriticalityNames.Of(c), shares.Of(c), "share rejected") { Max = 1 })],
        };
    }

    internal static IReadOnlyList<Criticality> Criticalities { get; } = Enum.GetValues<Criticality>();

    /// <summary>The shares of this moment. Those of the same tick are used again; of threads that find them old each computes them, and one is kept.</summary>
    private Shares Now()
    {
        long now = _environment.Clock.NowMs;
        Shares seen = Volatile.Read(ref _shares); // acquire: pairs with the compare-and-swap below
        if (now < seen.UntilMs && now >= seen.SinceMs) return seen;
        Setup setup = Volatile.Read(ref _setup);
        Shares made = Shares.Compute(setup, now);
        Interlocked.CompareExchange(ref _shares, made, seen); // full fence: publishes the new shares whole
        return made;
    }

    private static void Check(Criticality criticality)
    {
        if ((uint)criticality >= ThrottleWindow.Classes)
            throw new ArgumentOutOfRangeException(nameof(criticality), criticality, "A defined class of criticality.");
    }

    /// <summary>What an update replaces.</summary>
    private sealed record Setup(AdaptiveThrottleOptions Options, ThrottleRules Rules, ThrottleWindow Window)
    {
        internal Setup(AdaptiveThrottleOptions options)
            : this(options, ThrottleRules.Of(options), new((long)options.Window.TotalMilliseconds / ThrottleWindow.Buckets))
        {
        }
    }

    /// <summary>The shares of all classes for a tick, and what they were computed from.</summary>
    private sealed class Shares
    {
        internal static readonly Shares None = new(0, long.MinValue, []);

        private readonly (double Share, long Ended, long Accepted)[] _classes;
        private readonly ThrottleRejection?[] _rejections = new ThrottleRejection?[ThrottleWindow.Classes]; // made when first needed: one for each tick

        private Shares(long sinceMs, long untilMs, (double, long, long)[] classes) => (SinceMs, UntilMs, _classes) = (sinceMs, untilMs, classes);

        internal long SinceMs { get; }

        internal long UntilMs { get; }

        internal double Of(Criticality criticality) => _classes[(int)criticality].Share;

        internal bool AreAny
        {
            get
            {
                foreach ((double share, _, _) in _classes)
                {
                    if (share > 0) return true;
                }

                return false;
            }
        }

        /// <summary>A race costs an object.</summary>
        internal ThrottleRejection RejectionOf(Criticality criticality, PolicyEnvironment environment)
        {
            ref ThrottleRejection? known = ref _rejections[(int)criticality];
            (double share, long ended, long accepted) = _classes[(int)criticality];
            return Volatile.Read(ref known) ?? (known = new(environment, criticality, share, ended, accepted));
        }

        internal static Shares Compute(Setup setup, long nowMs)
        {
            (double, long, long)[] classes = new (double, long, long)[ThrottleWindow.Classes];
            foreach (Criticality criticality in Criticalities)
            {
                (long ended, long accepted) = setup.Window.Sum(nowMs, criticality);
                classes[(int)criticality] = (setup.Rules.Share(ended, accepted), ended, accepted);
            }

            return new(nowMs, Math.Min(nowMs + TickMs, setup.Window.EndOf(nowMs)), classes);
        }
    }
}

using System.Diagnostics.Metrics;
using System.Globalization;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>Decides at the door of a server which requests are carried out: as many at once as it can serve well, the most important first. Usable alone: in
/// a consumer of messages, in a server of your own. Thread-safe.</summary>
/// <remarks>
/// Two lines of defense. Signals of resources (processors, the thread pool, memory, your own) reject a growing part of the work, the least important first,
/// before it costs anything. An <see cref="AdaptiveConcurrencyLimit"/> bounds how much of the rest runs at once, with a short queue for each class of
/// <see cref="Criticality"/>. Signals are read ten times a second until <see cref="Dispose"/>.
/// </remarks>
/// <example><code>
/// using LoadShedder shedder = new(new LoadShedderOptions());
/// ShedAdmission admission = await shedder.EnterAsync(new ShedRequest(Criticality.Critical), stop);
/// if (!admission.IsAdmitted) return Later(admission.Rejection.Reason);
/// bool isDone = await HandleAsync();
/// shedder.Leave(admission, isDone ? Verdict.Success : Verdict.Failure);
/// </code></example>
public sealed class LoadShedder : IPolicyStatus, IDisposable
{
    private readonly PolicyEnvironment _environment;
    private readonly LoadShedderOptions _options;
    private readonly AdaptiveConcurrencyLimit _limit;
    private readonly OverloadSampler _sampler;
    private readonly RetryShare _retries = new();
    private readonly SheddingPeriod _period = new();
    private readonly ShedRejections _rejections;

    /// <summary>Makes a load shedder, which reads the signals from now on.</summary>
    /// <param name="options">A copy is taken.</param>
    /// <param name="timeProvider">Default: the system's.</param>
    /// <param name="randomness">Decides about requests without a key. Default: <see cref="Randomness.Shared"/>.</param>
    /// <param name="listener">Hears the events: <see cref="RequestShed"/>, <see cref="SheddingBegan"/>, <see cref="SheddingEnded"/>. Default: none.</param>
    /// <param name="meterFactory">Makes the meter of its instruments. Default: that of the process.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    public LoadShedder(
        LoadShedderOptions options,
        TimeProvider? timeProvider = null,
        Randomness? randomness = null,
        Action<ResilienceEvent>? listener = null,
        IMeterFactory? meterFactory = null)
        : this(
            options,
            new("", NameOf(options), Clock.For(timeProvider ?? TimeProvider.System), randomness ?? Randomness.Shared, OutcomeClassifier.Default,
                listener is null ? [] : [new(listener)], ResilienceTelemetry.MeterOf(meterFactory)),
            ProcessReadings.Own)
    {
    }

    internal LoadShedder(LoadShedderOptions options, PolicyEnvironment environment, ProcessReadings readings)
    {
        _options = options.Copy(); // before the check: what is checked is what is used
        _options.ThrowIfInvalid();
        _environment = environment;
        _options.Limit.Name ??= environment.PolicyName;
        _limit = new(_options.Limit, environment);
        _rejections = new(environment);
        _sampler = new(_options, environment.Clock, readings, EndPeriod);
        LoadShedderTelemetry.Watch(environment, this);
        AdaptiveLimitTelemetry.Watch(environment, _limit);
    }

    /// <summary>The name, as in rejections and telemetry.</summary>
    public string Name => _environment.PolicyName;

    /// <summary>The limit: how many requests run, how many wait, and what it has learnt.</summary>
    public AdaptiveConcurrencyLimit Limit => _limit;

    /// <summary>How overloaded the process is by its signals: from 0, not at all, to 1.</summary>
    public double Level => _sampler.Level.Level;

    internal IEnumerable<OverloadLevel> Levels => _sampler.Sources.Select(s => s.Level);

    internal bool IsDryRun => _options.DryRun;

    private static string NameOf(LoadShedderOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.GetName();
    }

    /// <summary>Asks for a place, and waits for one if there is room in the queue.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentOutOfRangeException">Its class is undefined.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled while the request waited.</exception>
    public ValueTask<ShedAdmission> EnterAsync(ShedRequest request, CancellationToken cancellationToken = default)
    {
        if ((uint)request.Criticality > (uint)Criticality.CriticalPlus)
            throw new ArgumentOutOfRangeException(nameof(request), request.Criticality, "A defined class of criticality.");
        _retries.Count(_environment.Clock.NowMs, request.IsRepeated);
        OverloadLevel level = _sampler.Level;
        if (level.Level > 0 && !SheddingRules.IsServed(request.Criticality, PositionWithin(request), SheddingRules.CutOff(level.Level)))
        {
            ShedRejection rejection = _rejections.Of(level.Reason, request.Criticality, IsEverywhere, level);
            if (Reject(rejection)) return new(new ShedAdmission(rejection));
        }

        return _options.DryRun ? new(EnterOrPass(request)) : EnterLimitAsync(request, cancellationToken);
    }

    /// <summary>Gives the place back, and tells how the request ended.</summary>
    /// <param name="admission">What was admitted.</param>
    /// <param name="verdict">Only a <see cref="Verdict.Success"/> is a sample of latency: a quick error says nothing of how long work takes.</param>
    /// <param name="latency">How long the request took until its answer began, where its place was held longer. Null (default): since it was
    /// admitted.</param>
    /// <exception cref="ArgumentException">It was not admitted here.</exception>
    /// <exception cref="InvalidOperationException">No place is held: one was given back twice.</exception>
    public void Leave(ShedAdmission admission, Verdict verdict, TimeSpan? latency = null)
    {
        if (!admission.IsAdmitted) throw new ArgumentException("It was not admitted.", nameof(admission));
        if (admission.Permit is not { } permit) return;
        if (latency is { } measured) _limit.Leave(permit, verdict, isOverloaded: false, measured);
        else _limit.Leave(permit, verdict);
    }

    /// <summary>How long a request has held its place; zero where it was admitted without one.</summary>
    /// <exception cref="ArgumentException">It was not admitted here.</exception>
    public TimeSpan ElapsedSince(ShedAdmission admission) => admission.Permit is { } permit ? _limit.ElapsedSince(permit) : TimeSpan.Zero;

    /// <summary>Reads the signals no more. Requests are admitted by the limit alone.</summary>
    public void Dispose()
    {
        _sampler.Dispose();
        LoadShedderTelemetry.Unwatch(_environment, this);
        AdaptiveLimitTelemetry.Unwatch(_environment, _limit);
    }

    /// <summary>A time after which a rejected request may come back, in whole seconds: drawn anew for each, all of them equally often.</summary>
    public TimeSpan DrawRetryAfter()
    {
        double min = Math.Ceiling(_options.MinRetryAfter.TotalSeconds), max = Math.Max(min, Math.Floor(_options.MaxRetryAfter.TotalSeconds));
        return TimeSpan.FromSeconds(min + Math.Floor((max - min + 1) * SafeRandomness.Draw(_environment.Randomness, 0)));
    }

    /// <inheritdoc/>
    PolicyStatus IPolicyStatus.GetStatus()
    {
        AdaptiveLimitSnapshot limit = _limit.GetSnapshot();
        OverloadLevel level = _sampler.Level;
        string waiting = limit.Waiting == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" · {limit.Waiting} waiting");
        double notServed = 100 - SheddingRules.CutOff(level.Level);
        string signals = level.Level == 0 ? "" : string.Create(
            CultureInfo.InvariantCulture, $" · {level.Signal} at {level.Value:0.##}: {notServed:0.#} % of the scale is not served");
        string text = string.Create(CultureInfo.InvariantCulture, $"{limit.Running} of {limit.Limit} running") + waiting + signals;
        return new(level.Level > 0 || limit.IsRejecting ? PolicyCondition.Warning : PolicyCondition.Ok, text + (_options.DryRun ? " · dry run" : ""))
        {
            Readings =
            [
                new("running", limit.Running, "requests") { Max = limit.Limit }, new("waiting", limit.Waiting, "requests"),
                .. Levels.Select(l => new PolicyReading(l.Signal, l.Level, "level") { Max = 1 }),
            ],
        };
    }

    private bool IsEverywhere => _retries.Of(_environment.Clock.NowMs) > _options.DoNotRetryAbove;

    private double PositionWithin(ShedRequest request) => request.FairnessKey is { } key
        ? FairPosition.Of(key, _environment.Clock.Time.GetUtcNow())
        : SafeRandomness.Draw(_environment.Randomness, 1 - double.Epsilon);

    private ValueTask<ShedAdmission> EnterLimitAsync(ShedRequest request, CancellationToken cancellationToken)
    {
        ValueTask<LimitAdmission> entering = _limit.EnterAsync(request.Criticality, request.TimeLeft, cancellationToken);
        return entering.IsCompletedSuccessfully ? new(Admit(entering.Result, request)) : WaitAsync(entering, request);
    }

    private async ValueTask<ShedAdmission> WaitAsync(ValueTask<LimitAdmission> entering, ShedRequest request)
    {
        long start = _environment.Clock.Timestamp;
        try
        {
            return Admit(await entering.ConfigureAwait(false), request);
        }
        finally
        {
            LoadShedderTelemetry.Waited(_environment, request.Criticality, _environment.Clock.ElapsedSince(start));
        }
    }

    private ShedAdmission Admit(LimitAdmission admission, ShedRequest request)
    {
        if (admission.IsAdmitted) return new(admission.Permit);
        ShedRejection rejection = _rejections.Of(request.Criticality, IsEverywhere, admission.Rejection);
        Reject(rejection);
        return new(rejection);
    }

    /// <summary>A dry run holds no request up: one that finds no place passes without.</summary>
    private ShedAdmission EnterOrPass(ShedRequest request)
    {
        // Without time to wait it is answered at once.
        LimitAdmission asked = _limit.EnterAsync(request.Criticality, TimeSpan.Zero, CancellationToken.None).Result;
        if (asked.IsAdmitted) return new(asked.Permit);
        Reject(_rejections.Of(request.Criticality, IsEverywhere, asked.Rejection));
        return new((LimitPermit?)null);
    }

    /// <summary>Tells of a rejection. False in a dry run: it is only told.</summary>
    private bool Reject(ShedRejection rejection)
    {
        bool isDryRun = _options.DryRun;
        if (_period.Reject(_environment.Clock.NowMs)) _environment.Report(new SheddingBegan(_environment.PipelineName, Name, rejection, isDryRun));
        if (_environment.IsObserved(RequestShed.Metric)) _environment.Report(_rejections.EventOf(rejection, isDryRun));
        return !isDryRun;
    }

    private void EndPeriod(long nowMs)
    {
        if (_period.End(nowMs) is var (rejected, lasted))
            _environment.Report(new SheddingEnded(_environment.PipelineName, Name, rejected, lasted, _options.DryRun));
    }
}

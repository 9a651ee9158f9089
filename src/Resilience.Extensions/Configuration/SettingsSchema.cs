namespace Resilience.Configuration;

/// <summary>What kind of value a key has.</summary>
internal enum SettingKind
{
    Flag,
    Whole,
    Number,
    Span,
    Choice,
    Text,
    Codes,

    /// <summary>A list of texts.</summary>
    Names,

    /// <summary>A list of groups.</summary>
    Items,
    Group,
}

/// <summary>One key of the configuration.</summary>
/// <param name="Name">The key, which is the name of the property of the settings type.</param>
/// <param name="Kind">What its value looks like.</param>
/// <param name="Description">One or two sentences for the person who edits the file.</param>
internal sealed record SettingKey(string Name, SettingKind Kind, string Description)
{
    /// <summary>The least value of a number; null if it has none.</summary>
    internal double? Min { get; init; }

    /// <summary>The greatest value of a number; null if it has none.</summary>
    internal double? Max { get; init; }

    /// <summary>The words of a choice.</summary>
    internal IReadOnlyList<string> Choices { get; init; } = [];

    /// <summary>The keys of a group.</summary>
    internal SettingsSchema? Group { get; init; }
}

/// <summary>The keys of the configuration: what is checked before binding.</summary>
/// <param name="Description">What the group is, for the person who edits the file.</param>
/// <param name="Keys">Its keys.</param>
internal sealed record SettingsSchema(string Description, IReadOnlyList<SettingKey> Keys)
{
    internal SettingKey? Find(string name) => Keys.FirstOrDefault(k => string.Equals(k.Name, name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Where the setting stands that an option came from: <c>Retry.Ratio</c> is <c>Retry:Budget:Ratio</c>.</summary>
    internal string PathOf(string option)
    {
        string[] parts = option.Split('.', 2);
        if (parts.Length == 1 || Find(parts[0])?.Group is not { } group) return option.Replace('.', ':');
        string inner = group.Find(parts[1]) is null && group.Keys.FirstOrDefault(k => k.Group?.Find(parts[1]) is not null) is { } deeper
            ? $"{deeper.Name}:{parts[1]}"
            : parts[1];
        return $"{parts[0]}:{inner}";
    }

    private static readonly SettingsSchema Budget = new(
        "The account that retries are paid from.",
        [
            Flag(nameof(RetryBudgetSettings.Unlimited), "True turns the budget off: every retry is granted."),
            Number(nameof(RetryBudgetSettings.Ratio), 0, 10, "Retries for each call: 0, or from 0.001 to 10. Default 0.2."),
            Number(nameof(RetryBudgetSettings.MinRetriesPerSecond), 0, 10_000, "Retries a second that are granted whatever the traffic. Default 10."),
            Span(nameof(RetryBudgetSettings.Window), "How long a call counts, from 1 s to 60 s. Default 00:00:10."),
        ]);

    private static readonly SettingsSchema Retry = new(
        "How failures are repeated. An empty group means the default retry.",
        [
            Flag(nameof(RetrySettings.Enabled), "False takes the retry out of the pipeline. Default true."),
            Whole(nameof(RetrySettings.MaxRetries), -1, int.MaxValue, "Retries after the first attempt; -1 means no limit. Default 3."),
            Choice<BackoffKind>(nameof(RetrySettings.BackoffKind), "How waits grow. Default Exponential."),
            Span(nameof(RetrySettings.BaseDelay), "The ceiling of the first wait, from zero to a day. Default 00:00:00.2."),
            Span(nameof(RetrySettings.MaxDelay), "No computed wait is longer, from BaseDelay to a day. Default 00:00:05, or BaseDelay if that is longer."),
            Number(nameof(RetrySettings.Factor), 1.01, 1000, "The growth of exponential waits. Default 2."),
            Choice<BackoffJitter>(nameof(RetrySettings.Jitter), "How waits are spread. Default Full."),
            Span(
                nameof(RetrySettings.MaxRetryAfter),
                "The longest wait that a server can ask for, from zero to a day; a longer wish ends the call. Default 00:01:00."),
            Number(nameof(RetrySettings.RetryAfterJitter), 0, 1, "What is added to such a wait at most, as a share of it. Default 0.2."),
            Flag(nameof(RetrySettings.BackoffIsMinimum), "Whether the computed wait is the least even if the server asks for less. Default false."),
            Flag(nameof(RetrySettings.WaitForRejections), "Whether to wait for a policy that rejected and said for how long. Default false."),
            Part(nameof(RetrySettings.Budget), Budget),
        ]);

    private static readonly SettingsSchema Hedging = new(
        "When a second attempt runs beside a slow first one. An empty group means the default hedging.",
        [
            Flag(nameof(HedgingSettings.Enabled), "False takes the hedging out of the pipeline. Default true."),
            Whole(nameof(HedgingSettings.MaxAttempts), 1, 10, "Attempts in all, the first included. Default 2."),
            Span(nameof(HedgingSettings.Delay),
                "How long an attempt may take before the next one starts, from zero to a day; -00:00:00.001: only after a failure. Default 00:00:01."),
            Part(nameof(HedgingSettings.Budget), Budget),
        ]);

    private static readonly SettingsSchema CircuitBreaker = new(
        "When calls stop because the dependency fails. An empty group means the default circuit breaker.",
        [
            Flag(nameof(CircuitBreakerSettings.Enabled), "False takes the circuit breaker out of the pipeline. Default true."),
            Number(nameof(CircuitBreakerSettings.FailureRatio), 0, 1,
                "Opens when at least this share of the calls in the window failed; 0 turns the rule off. Default 0.5."),
            Whole(nameof(CircuitBreakerSettings.MinimumCalls), 1, int.MaxValue, "The fewest calls in the window by which the ratios are judged. Default 20."),
            Span(nameof(CircuitBreakerSettings.SamplingDuration), "The length of the window in time, from 10 ms to a day. Default 00:00:10."),
            Whole(nameof(CircuitBreakerSettings.SamplingCalls), 1, 100_000, "The length of the window in calls, instead of time."),
            Whole(nameof(CircuitBreakerSettings.Buckets), 2, 60, "How many buckets the window is made of. Default 10."),
            Whole(nameof(CircuitBreakerSettings.ConsecutiveFailures), 1, 1000, "Opens when this many calls in a row failed. Default: off."),
            Span(nameof(CircuitBreakerSettings.ConsecutiveFailuresWithin),
                "The time within which the failures in a row must lie, more than zero, at most a day."),
            Span(nameof(CircuitBreakerSettings.SlowCallThreshold), "A call that takes this long is slow, from 10 ms to a day. Default: off."),
            Number(nameof(CircuitBreakerSettings.SlowCallRatio), 0, 1,
                "Opens when at least this share of the calls in the window is slow, more than 0. Default 0.5."),
            Span(nameof(CircuitBreakerSettings.BreakDuration), "How long the circuit stays open the first time, from 1 ms to a day. Default 00:00:05."),
            Number(nameof(CircuitBreakerSettings.BreakGrowth), 1, 100, "Each relapse multiplies the break by this. Default 2."),
            Span(nameof(CircuitBreakerSettings.MaxBreakDuration), "The longest break, from BreakDuration to a day. Default 00:01:00."),
            Number(nameof(CircuitBreakerSettings.BreakJitter), 0, 1, "The share of the break that chance may take away. Default 0.2."),
            Span(nameof(CircuitBreakerSettings.BreakDecay),
                "Each such span of health takes back one step of the growth, from 1 ms to a day. Default 00:01:00."),
            Flag(nameof(CircuitBreakerSettings.BreakFollowsRetryAfter),
                "The break lasts as long as the failure that opened the circuit has asked for, at most MaxBreakDuration. Default false."),
            Whole(nameof(CircuitBreakerSettings.Probes), 1, 1000, "How many probes may be out at once when the circuit is half open. Default 1."),
            Whole(nameof(CircuitBreakerSettings.SuccessThreshold), 1, 1000,
                "How many probes must succeed before the circuit closes. Default: as many as Probes."),
            Span(nameof(CircuitBreakerSettings.ProbeLease), "How long a probe may be silent before it is given up, from 1 ms to a day. Default 00:00:30."),
            Span(nameof(CircuitBreakerSettings.RampDuration),
                "After closing, the time in which the share of admitted calls grows to all, up to a day. Default zero."),
            Number(nameof(CircuitBreakerSettings.RampFrom), 0, 1, "The share of calls admitted at the beginning of the ramp, more than 0. Default 0.1."),
            Flag(nameof(CircuitBreakerSettings.DryRun), "Watch only: the circuit changes its states and tells of it, but rejects no call. Default false."),
        ]);

    private static readonly SettingsSchema ConcurrencyLimit = new(
        "How many calls may run at once. An empty group means the default limit.",
        [
            Flag(nameof(ConcurrencyLimitSettings.Enabled), "False takes the limit out of the pipeline. Default true."),
            Whole(nameof(ConcurrencyLimitSettings.MaxConcurrent), 1, 1_000_000, "How many calls may run at once. Default 100."),
            Whole(nameof(ConcurrencyLimitSettings.MaxQueued), 0, 1_000_000, "How many calls may wait for a place. Default 0."),
            Span(nameof(ConcurrencyLimitSettings.MaxWait), "How long a call may wait, from 1 ms to a day. Default 00:00:01."),
        ]);

    private static readonly SettingKey Rates = Part(nameof(ChaosSettings.Rates), new(
        "How often each kind is injected, as shares of the calls. Fault, Result and LostReply are at most 1 together.",
        [
            Number(nameof(ChaosRatesSettings.Behaviour), 0, 1, "Calls before which the code's own behaviour runs. Default 0."),
            Number(nameof(ChaosRatesSettings.Latency), 0, 1, "Calls that begin late. Default 0."),
            Number(nameof(ChaosRatesSettings.Fault), 0, 1, "Calls that end with an exception instead of being made. Default 0."),
            Number(nameof(ChaosRatesSettings.Result), 0, 1, "Calls that end with a value of the code's instead of being made. Default 0."),
            Number(nameof(ChaosRatesSettings.LostReply), 0, 1, "Calls that are made and whose result is thrown away. Default 0."),
        ]));

    private static readonly SettingsSchema ChaosSchedule = new(
        "When there is chaos while it is on: in the windows, counted from the moment at which it was turned on.",
        [
            Span(nameof(ChaosScheduleSettings.RepeatEvery), "The schedule begins anew after this span, at least the end of the last window. Default: once."),
            new(nameof(ChaosScheduleSettings.Windows), SettingKind.Items, "The windows, in their order and without overlap; at least one.")
            {
                Group = new("A window.",
                [
                    Span(nameof(ChaosWindowSettings.From), "When it begins. Default 00:00:00."),
                    Span(nameof(ChaosWindowSettings.Length), "How long it lasts, at least 1 ms. Default 00:01:00."),
                    Rates,
                ]),
            },
        ]);

    private static readonly SettingsSchema Chaos = new(
        "Faults injected on purpose, innermost. Wrong in an environment in which chaos is not allowed, unless Enabled is false.",
        [
            Flag(nameof(ChaosSettings.Enabled), "False takes chaos out of the pipeline. Default true."),
            Flag(nameof(ChaosSettings.IsOn), "Whether chaos is on; a change turns its switch. Default false."),
            Rates,
            Span(nameof(ChaosSettings.Latency), "How late a call begins, from 1 ms to a day. Default 00:00:01."),
            Span(nameof(ChaosSettings.MaxLatency), "With it, latencies are spread from Latency to this. Default: all are the same."),
            Part(nameof(ChaosSettings.Schedule), ChaosSchedule),
            new(nameof(ChaosSettings.Seed), SettingKind.Whole, "The same seed disturbs the same calls. Default: drawn, and told in the log.")
            {
                Max = long.MaxValue,
            },
            new(nameof(ChaosSettings.AllowedEnvironments), SettingKind.Names,
                "Environments in which chaos is allowed besides Development and Staging: Production must be named here."),
        ]);

    private static readonly SettingKey[] Policies =
    [
        Span(nameof(PipelineSettings.TotalTimeout), "The time allowed for the whole call, all attempts and waits together, from 1 ms to a day."),
        Part(nameof(PipelineSettings.Retry), Retry),
        Part(nameof(PipelineSettings.Hedging), Hedging),
        Part(nameof(PipelineSettings.CircuitBreaker), CircuitBreaker),
        Part(nameof(PipelineSettings.ConcurrencyLimit), ConcurrencyLimit),
        Span(nameof(PipelineSettings.AttemptTimeout), "The time allowed for each attempt, from 1 ms to a day."),
        Span(nameof(PipelineSettings.AbandonAttemptAfter),
            "How long to wait, after the time of an attempt is up, for code that does not honor its token, from zero to a day. Default: until it ends."),
        Part(nameof(PipelineSettings.Chaos), Chaos),
        new(nameof(PipelineSettings.AcceptedWarnings), SettingKind.Codes,
            "Codes of findings about order and arithmetic of the policies, such as RES008, that are meant and therefore no errors."),
    ];

    private static readonly SettingKey[] HttpKeys =
    [
        .. Policies.Where(k =>
            k.Name is not (nameof(PipelineSettings.AbandonAttemptAfter) or nameof(PipelineSettings.Hedging) or nameof(PipelineSettings.Chaos))),
        Whole(nameof(HttpSettings.MaxAuthorities), 1, 100_000, "How many authorities may have circuits, budgets and limits of their own. Default 1000."),
        Flag(nameof(HttpSettings.ThrottlingCounts), "Whether 429 counts against the circuit. Default false: the server is well and asks for patience."),
        Whole(nameof(HttpSettings.MaxNamedAuthorities), 0, 100_000,
            "How many authorities are told apart in telemetry and logs; the others are called 'other' there. Default 50."),
        Part(nameof(HttpSettings.LongPolls), new(
            "Requests that the server is meant to hold open: the timeouts of the pipeline do not hold for them, and their own is no failure.",
            [
                new(nameof(LongPollSettings.Paths), SettingKind.Names, "Paths that begin with a slash, each with all that lies below it, such as /chat."),
                Span(nameof(LongPollSettings.Timeout), "The time that such a request has, from 1 ms to a day. Default: as long as the server likes."),
            ])),
        Flag(nameof(HttpSettings.HoldPlaceForStreams),
            "Whether the place of the concurrency limit is kept until the end of a body that is read as a stream. Default false."),
        Flag(nameof(HttpSettings.BufferResponses), "Whether bodies are read inside the attempt, so that an answer that breaks off is retried. Default false."),
        Whole(nameof(HttpSettings.MaxBufferedResponseBytes), 1, int.MaxValue, "The largest body that is buffered. Default 10485760."),
        Span(nameof(HttpSettings.ReadIdleTimeout), "How long a body may be silent while it is read, from 1 ms to a day. Default: as long as it likes."),
        Span(nameof(HttpSettings.BodyTimeout),
            "By when, from the beginning of the call, a body must have been read, from 1 ms to a day. Default: see the page on HttpClient."),
        Whole(nameof(HttpSettings.ReplayBufferBytes), 0, int.MaxValue,
            "Bytes kept of request bodies that could not be sent again otherwise, while they are sent. Default 65536."),
        Whole(nameof(HttpSettings.BufferRequestBytes), 0, int.MaxValue,
            "One-shot request bodies up to this size are read into memory so that they can be repeated. Default 0."),
        new(nameof(HttpSettings.DeadlineHeader), SettingKind.Text, "A request header that carries the milliseconds left for the attempt. Default: none."),
    ];

    /// <summary>The keys of the standard pipeline of an HttpClient.</summary>
    internal static SettingsSchema Http { get; } = new(
        "The pipeline of an HttpClient: total timeout > retry > circuit breaker > concurrency limit > attempt timeout. What is absent has its default.",
        HttpKeys);

    /// <summary>The keys of a pipeline.</summary>
    internal static SettingsSchema Pipeline { get; } = new(
        "A pipeline: total timeout > retry > hedging > circuit breaker > concurrency limit > attempt timeout > chaos.", Policies);

    private static SettingKey Flag(string name, string description) => new(name, SettingKind.Flag, description);

    private static SettingKey Whole(string name, long min, long max, string description) =>
        new(name, SettingKind.Whole, description) { Min = min, Max = max };

    private static SettingKey Number(string name, double min, double max, string description) =>
        new(name, SettingKind.Number, description) { Min = min, Max = max };

    private static SettingKey Span(string name, string description) => new(name, SettingKind.Span, description);

    private static SettingKey Choice<TEnum>(string name, string description)
        where TEnum : struct, Enum => new(name, SettingKind.Choice, description) { Choices = Enum.GetNames<TEnum>() };

    private static SettingKey Part(string name, SettingsSchema group) => new(name, SettingKind.Group, group.Description) { Group = group };
}

using System.Globalization;
using Resilience.Events;

namespace Resilience.Extensibility;

/// <summary>Repeats failures: the only loop of the library. Holds the budget that its calls share; thread-safe.</summary>
public sealed class RetryPolicy : ResiliencePolicy
{
    private readonly PolicyEnvironment _environment;
    private readonly RetryTelemetry _telemetry;
    private readonly int _maxRetries;
    private readonly Backoff _backoff;
    private readonly RetryRule[] _rules;
    private readonly Func<AttemptResult, TimeSpan?>? _retryAfter;
    private readonly TimeSpan _maxRetryAfter;
    private readonly double _retryAfterJitter;
    private readonly bool _backoffIsMinimum;
    private readonly Func<AttemptResult, bool>? _shouldRetry;
    private readonly Action<AttemptResult, TimeSpan>? _onRetry;
    private readonly Func<AttemptResult, TimeSpan, CancellationToken, ValueTask>? _onRetryAsync;
    private readonly CarriedState<RetryBudget, RetryBudgetOptions>? _carried; // null: the budget is shared, and an update changes nothing about it

    /// <summary>Makes the policy; <c>AddRetry</c> does it for you. Make one yourself to share it between pipelines.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public RetryPolicy(RetryOptions options, PolicyEnvironment environment)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(environment);
        options.ThrowIfInvalid();
        _environment = environment;
        _telemetry = RetryTelemetry.For(environment.Meter);
        _maxRetries = options.MaxRetries;
        _backoff = Backoff.From(options);
        _rules = [.. options.Rules];
        _retryAfter = options.RetryAfter;
        _maxRetryAfter = options.MaxRetryAfter;
        _retryAfterJitter = options.Jitter == BackoffJitter.None ? 0 : options.RetryAfterJitter;
        _backoffIsMinimum = options.BackoffIsMinimum;
        _shouldRetry = options.ShouldRetry;
        _onRetry = options.OnRetry;
        _onRetryAsync = options.OnRetryAsync;
        WaitsForRejections = options.WaitForRejections;
        _carried = options.Budget is null ? RetryBudget.Carried(this, options.BudgetOptions ?? new(), environment) : null;
        Budget = options.Budget ?? _carried!.State;
    }

    /// <summary>The account that this policy's retries are paid from.</summary>
    public RetryBudget Budget { get; }

    /// <summary>The <see cref="Budget"/>, unless it is unlimited.</summary>
    public override object? State => Budget.IsUnlimited ? null : Budget;

    /// <inheritdoc/>
    protected internal override CarriedState? Carried => _carried;

    internal bool WaitsForRejections { get; }

    internal TimeSpan MaxRetryAfter => _maxRetryAfter;

    internal TimeProvider TimeProvider => _environment.TimeProvider;

    internal Clock Clock => _environment.Clock;

    internal TimeProvider Time => _environment.Clock.Time;

    internal OutcomeClassifier Classifier => _environment.Classifier;

    internal string Name => _environment.PolicyName;

    internal override bool NeverThrows => true;

    internal override bool HonorsMarks => true;

    /// <inheritdoc/>
    public override PolicyDescription Describe()
    {
        int? max = MaxAllowedRetries();
        List<KeyValuePair<string, string>> options =
        [
            new(nameof(RetryOptions.MaxRetries), _maxRetries == RetryOptions.Unlimited ? "unlimited" : Show(_maxRetries)),
            new("Backoff", _backoff.ToString()),
            new(nameof(RetryOptions.Budget), _carried?.Pending is { } pending ? RetryBudget.Describe(pending) : Budget.ToString()),
            new(nameof(RetryOptions.MaxRetryAfter), TimeText.Of(_maxRetryAfter)),
            new(nameof(RetryOptions.RetryAfterJitter), _retryAfterJitter.ToString("0.###", CultureInfo.InvariantCulture)),
        ];
        if (_rules.Length > 0) options.Add(new(nameof(RetryOptions.Rules), Show(_rules.Length)));
        if (WaitsForRejections) options.Add(new(nameof(RetryOptions.WaitForRejections), "true"));
        if (_backoffIsMinimum) options.Add(new(nameof(RetryOptions.BackoffIsMinimum), "true"));
        PolicyDescription.AddIfOwn(options, nameof(RetryOptions.ShouldRetry), _shouldRetry);
        PolicyDescription.AddIfOwn(options, nameof(RetryOptions.RetryAfter), _retryAfter);
        return new(_environment.PolicyName, PolicyRole.Retry)
        {
            MaxAttempts = max is { } retries ? (int)Math.Min(int.MaxValue, retries + 1L) : null,
            FirstDelay = max == 0 ? null : _backoff.Ceiling(0),
            TotalDelay = max is { } all ? _backoff.Total(all) : null,
            Options = options,
        };
    }

    /// <inheritdoc/>
    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next)
    {
        ArgumentNullException.ThrowIfNull(next);
        return RetryLink<T>.Make(this, next, _environment.HasListeners);
    }

    /// <summary>Whether this failure is repeated, and after what wait. A granted retry is paid for when this returns.</summary>
    internal RetryDecision Decide(in AttemptResult attempt, bool isMarked, TimeSpan previous)
    {
        if (isMarked) return Stop(attempt, RetryStopReason.Marked);
        if (!attempt.MayRepeat) return Stop(attempt, RetryStopReason.Permanent);
        if (attempt.Call.ObjectionTo(attempt.NotApplied) is { } objection) return Stop(attempt, RetryStopReason.NotAllowed, objection);
        RetryRule? rule = RuleFor(attempt);
        int max = rule?.MaxRetries ?? _maxRetries;
        if (max != RetryOptions.Unlimited && attempt.Number >= max) return Stop(attempt, RetryStopReason.Attempts, max: max);
        if (!IsAllowed(attempt)) return Stop(attempt, RetryStopReason.NotAllowed);

        TimeSpan? asked = AskedFor(attempt);
        if (asked > _maxRetryAfter) return Stop(attempt, RetryStopReason.RetryAfter, delay: asked.Value);
        (TimeSpan delay, bool askedFor) = DelayAfter(attempt, asked, rule?.Backoff ?? _backoff, previous);
        ResilienceContext context = attempt.Call;
        if (IsOver(context, delay))
            return Stop(attempt, RetryStopReason.Deadline, delay: delay);

        // The caller does not wait for the answer any more: do not spend a token on it. The caller of this method sees the token too.
        if (context.Token.IsCancellationRequested) return new(delay, askedFor, null);
        if (!Budget.TryWithdraw()) return Stop(attempt, RetryStopReason.Budget);
        Announce(attempt, delay, askedFor);
        return new(delay, askedFor, null);
    }

    private RetryRule? RuleFor(in AttemptResult attempt)
    {
        foreach (RetryRule rule in _rules)
        {
            if (rule.Matches(attempt)) return rule;
        }

        return null;
    }

    private bool IsAllowed(in AttemptResult attempt)
    {
        if (_shouldRetry is null) return true;
        try
        {
            return _shouldRetry(attempt);
        }
        catch (Exception error)
        {
            Safely.Report("retry ShouldRetry", error);
            return false;
        }
    }

    /// <summary>The wait that is asked for. A delegate may say zero and means at once; a server that says zero, or a date that has passed,
    /// has said nothing.</summary>
    private TimeSpan? AskedFor(in AttemptResult attempt) =>
        AskedByDelegate(attempt) ?? (attempt.RetryAfter is { } said && said > TimeSpan.Zero ? said : null);

    private (TimeSpan Delay, bool AskedFor) DelayAfter(in AttemptResult attempt, TimeSpan? asked, Backoff backoff, TimeSpan previous)
    {
        if (asked is not { } min) return (Computed(attempt, backoff, previous), false);
        TimeSpan computed = _backoffIsMinimum ? Computed(attempt, backoff, previous) : TimeSpan.Zero;
        return computed > min ? (computed, false) : (min + Spread(min, attempt.Call), true);
    }

    /// <summary>What is added to a wait that was asked for: all clients of a server were told the same. It takes at most half of the time
    /// that the deadline leaves beyond the wait, so that no retry is lost by it.</summary>
    private TimeSpan Spread(TimeSpan min, ResilienceContext context)
    {
        double max = min.Ticks * _retryAfterJitter;
        if (context.TimeLeft is { } left) max = Math.Min(max, (left - min).Ticks / 2.0);
        if (!(max >= 1)) return TimeSpan.Zero;
        return new((long)(max * SafeRandomness.Share(_environment.Randomness)));
    }

    /// <summary>The generator may be the user's; if it throws, the wait is the ceiling.</summary>
    private TimeSpan Computed(in AttemptResult attempt, Backoff backoff, TimeSpan previous)
    {
        try
        {
            return backoff.Delay(attempt.Number, previous, _environment.Randomness);
        }
        catch (Exception error)
        {
            Safely.Report("randomness", error);
            return backoff.Ceiling(attempt.Number);
        }
    }

    private TimeSpan? AskedByDelegate(in AttemptResult attempt)
    {
        if (_retryAfter is null) return null;
        try
        {
            return _retryAfter(attempt) is { } asked && asked >= TimeSpan.Zero ? asked : null;
        }
        catch (Exception error)
        {
            Safely.Report("retry RetryAfter", error);
            return null;
        }
    }

    private RetryDecision Stop(in AttemptResult attempt, RetryStopReason cause, string? detail = null, int max = 0, TimeSpan delay = default)
    {
        if (_environment.IsObserved(RetryStopped.Metric)) Report(attempt, cause, detail, max, delay);
        return new(default, false, cause);
    }

    private void Report(in AttemptResult attempt, RetryStopReason cause, string? detail, int max, TimeSpan delay)
    {
        string outcome = ReasonOf(attempt);
        string? why = _environment.IsRead ? RetryExplanation.Why(attempt, cause, detail, this, max, delay) : null;
        _environment.Report(new RetryStopped(attempt.Call.NameOfPipeline, Name, attempt.Number, cause, outcome)
        {
            Detail = detail,
            Explanation = why is null ? "" : RetryExplanation.Of(attempt, outcome, this, why),
            Because = why ?? "",
            Operation = attempt.Call.NameOfOperation,
        });
    }

    private void Announce(in AttemptResult attempt, TimeSpan delay, bool askedFor)
    {
        _telemetry.Waits(attempt.Call.NameOfPipeline, Name, delay);
        if (_environment.IsObserved(RetryScheduled.Metric))
        {
            _environment.Report(new RetryScheduled(attempt.Call.NameOfPipeline, Name, attempt.Number, delay, ReasonOf(attempt), askedFor)
            {
                Operation = attempt.Call.NameOfOperation,
                Exception = _environment.HasListeners ? attempt.Exception : null, // of a rejection it is made
                AttemptDuration = AgeOf(attempt.Call),
            });
        }

        if (_onRetry is null) return;
        try
        {
            _onRetry(attempt, delay);
        }
        catch (Exception error)
        {
            Safely.Report("retry OnRetry", error);
        }
    }

    /// <summary>Whether something has to be awaited before the wait.</summary>
    internal bool IsAwaited => _onRetryAsync is not null;

    /// <summary>Awaits what the user wants done before the next attempt: the same decision with the rest of the wait, or that the deadline is over.</summary>
    internal async Task<RetryDecision> TellAsync(AttemptResult attempt, RetryDecision decision)
    {
        ResilienceContext context = attempt.Call;
        long start = Clock.Timestamp;
        try
        {
            using CancellationTokenSource? deadline = context.TimeLeft is { } left && left < OptionsCheck.MaxSpan ? new(left, TimeProvider) : null;
            using CancellationTokenSource? both = deadline is null ? null : CancellationTokenSource.CreateLinkedTokenSource(context.Token, deadline.Token);
            ValueTask running = SynchronousWait.Begin(
                context.BlocksThread,
                (Tell: _onRetryAsync!, Attempt: attempt, decision.Delay, Token: both?.Token ?? context.Token),
                static begun => begun.Tell(begun.Attempt, begun.Delay, begun.Token));
            await context.Settle(running).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            if (!IsOver(context, TimeSpan.Zero) && !context.Token.IsCancellationRequested) Safely.Report("retry OnRetryAsync", error);
        }

        TimeSpan rest = decision.Delay - Clock.ElapsedSince(start);
        if (rest < TimeSpan.Zero) rest = TimeSpan.Zero;
        return !context.Token.IsCancellationRequested && IsOver(context, rest)
            ? Stop(attempt, RetryStopReason.Deadline, delay: rest)
            : decision with { Delay = rest };
    }

    /// <summary>The age of the attempt; null when its beginning was not written down.</summary>
    private static TimeSpan? AgeOf(ResilienceContext context) => (context.State.Remarks & AttemptRemarks.HasBegun) == 0
        ? null
        : TimeSpan.FromMilliseconds(Math.Max(0, context.Clock.NowMs - context.State.BeganMs));

    private static bool IsOver(ResilienceContext context, TimeSpan wait) =>
        context.DeadlineMs != Clock.Never && Clock.After(context.Clock.NowMs, wait) >= context.DeadlineMs;

    private string ReasonOf(in AttemptResult attempt) => Classifier.ErrorTypeOf(attempt.Error) ?? attempt.ResultName ?? "result";

    private static string Show(int number) => number.ToString(CultureInfo.InvariantCulture);

    private int? MaxAllowedRetries()
    {
        int max = _maxRetries;
        foreach (RetryRule rule in _rules)
        {
            if (max == RetryOptions.Unlimited || rule.MaxRetries == RetryOptions.Unlimited) return null;
            max = Math.Max(max, rule.MaxRetries ?? 0);
        }

        return max == RetryOptions.Unlimited ? null : max;
    }
}

/// <summary>Yes, after this wait; or no, and why.</summary>
internal readonly record struct RetryDecision(TimeSpan Delay, bool AskedFor, RetryStopReason? Cause);

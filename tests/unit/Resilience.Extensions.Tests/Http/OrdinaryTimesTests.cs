using System.Net;

namespace Resilience.Tests.Http;

/// <summary>The standard pipeline with sets of times as people write them: what can work builds and keeps within its bounds, and what is rejected could
/// not have worked.</summary>
public sealed class OrdinaryTimesTests
{
    private static readonly TimeSpan Rounding = TimeSpan.FromMilliseconds(20); // timers count milliseconds, the coarse clock more
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly double?[] Totals = [0.05, 0.5, 1, 3, 5, 10, 14, 20, 30, 60, 120, null];
    private static readonly double?[] Attempts = [0.05, 0.1, 0.5, 1, 2, 5, 7, 8, 10, 15, 40, null];
    private static readonly double[] Bases = [0, 0.1, 0.2, 0.3, 1, 2, 10];

    public static TheoryData<string> OneNumberChanged =>
        ["half a second in three", "BaseDelay", "MaxRetries", "AttemptTimeout", "TotalTimeout", "short total", "SamplingDuration", "constant"];

    private static StandardResilienceOptions Changed(string what)
    {
        StandardResilienceOptions options = new();
        switch (what)
        {
            case "half a second in three": (options.TotalTimeout, options.AttemptTimeout) = (TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(0.5)); break;
            case "BaseDelay": options.Retry!.BaseDelay = TimeSpan.FromMilliseconds(300); break;
            case "MaxRetries": options.Retry!.MaxRetries = 4; break;
            case "AttemptTimeout": options.AttemptTimeout = TimeSpan.FromSeconds(8); break;
            case "TotalTimeout": options.TotalTimeout = TimeSpan.FromSeconds(20); break;
            case "short total": options.TotalTimeout = TimeSpan.FromSeconds(5); break;
            case "SamplingDuration": options.CircuitBreaker!.SamplingDuration = TimeSpan.FromSeconds(5); break;
            default: (options.Retry!.BackoffKind, options.Retry.BaseDelay) = (BackoffKind.Constant, TimeSpan.FromSeconds(10)); break;
        }

        return options;
    }

    /// <summary>Each of these was rejected at the start.</summary>
    [Theory]
    [MemberData(nameof(OneNumberChanged))]
    public async Task One_number_of_the_standard_set_changed_alone_builds_and_works(string what)
    {
        (await new World(Changed(what), hangs: false).RunAsync()).Should().HaveCountGreaterThan(1, "a retry fits where attempts end at once");
        (await new World(Changed(what), hangs: true).RunAsync()).Should().HaveCountGreaterThan(1, "the attempt timeout leaves room for a second one");
    }

    [Fact]
    public async Task Whatever_builds_makes_an_attempt_and_keeps_its_bounds_and_whatever_is_rejected_could_not_have_worked()
    {
        Random random = new(25);
        int built = 0, rejected = 0, hanged = 0;
        for (int i = 0; i < 300; i++)
        {
            StandardResilienceOptions options = Draw(random);
            bool hangs = random.Next(2) == 0 && (options.TotalTimeout ?? options.AttemptTimeout) is not null;
            try
            {
                List<TimeSpan> attempts = await new World(options, hangs).RunAsync();
                built++;
                if (hangs) hanged++;
                attempts.Count.Should().BeInRange(1, options.Retry!.MaxRetries + 1, "of {0}", Show(options));
                if (options.AttemptTimeout is { } max) attempts.Should().OnlyContain(a => a <= max + Rounding, "of {0}", Show(options));
            }
            catch (ResiliencePipelineException wrong)
            {
                rejected++;
                wrong.Warnings.Should().OnlyContain(w => w.Code == "RES007" && w.IsContradiction, "of {0}", Show(options));

                // As it would have been: the total ends the one attempt, its own timeout never does.
                options.AcceptedWarnings.Add("RES007");
                (await new World(options, hangs: true).RunAsync()).Should().ContainSingle("of {0}", Show(options));
            }
        }

        (built > 150 && rejected > 20 && hanged > 50).Should().BeTrue($"{built} built, {rejected} rejected, {hanged} hanged");
    }

    /// <summary>The check above must see a call that outlasts its total.</summary>
    [Fact]
    public async Task A_planted_call_that_outlasts_its_total_is_found()
    {
        World world = new(new() { TotalTimeout = TimeSpan.FromSeconds(2), AttemptTimeout = TimeSpan.FromSeconds(1) }, hangs: true,
            lateness: TimeSpan.FromSeconds(3));
        (await world.Invoking(w => w.RunAsync()).Should().ThrowAsync<Xunit.Sdk.XunitException>()).WithMessage("*the call ended after*");
    }

    private static StandardResilienceOptions Draw(Random random)
    {
        StandardResilienceOptions options = new();
        if (random.Next(3) > 0) options.TotalTimeout = Span(Totals[random.Next(Totals.Length)]);
        if (random.Next(3) > 0) options.AttemptTimeout = Span(Attempts[random.Next(Attempts.Length)]);
        options.Retry = new()
        {
            MaxRetries = random.Next(6),
            BaseDelay = TimeSpan.FromSeconds(Bases[random.Next(Bases.Length)]),
            BackoffKind = (BackoffKind)random.Next(4),
            Jitter = (BackoffJitter)random.Next(3),
        };
        return options;
    }

    private static TimeSpan? Span(double? seconds) => seconds is { } s ? TimeSpan.FromSeconds(s) : null;

    private static string Show(StandardResilienceOptions o) =>
        $"total {o.TotalTimeout}, attempt {o.AttemptTimeout}, {o.Retry!.MaxRetries} retries, {o.Retry.BackoffKind} from {o.Retry.BaseDelay} with {o.Retry.Jitter}";

    /// <summary>One call on a clock that moves only when the call can do nothing but wait: for its next attempt, or for an answer that never
    /// comes.</summary>
    private sealed class World(StandardResilienceOptions options, bool hangs, TimeSpan lateness = default)
    {
        private readonly WatchedTime _time = new();
        private readonly List<TimeSpan> _attempts = [];
        private long _waitTicks; // of the retry whose timer comes next

        internal async Task<List<TimeSpan>> RunAsync()
        {
            _time.Made = Made;
            HttpResilience resilience = HttpResilience.Standard(options, "ordinary", builder =>
            {
                builder.TimeProvider = _time;
                builder.OnEvent(Heard);
            });
            ScriptedHandler network = new(async (_, _, token) => await AnswerAsync(token));
            using HttpClient client = HttpKit.Client(resilience, network);
            client.Timeout = Timeout.InfiniteTimeSpan;
            DateTimeOffset begun = _time.GetUtcNow();
            try
            {
                using HttpResponseMessage response = await client.GetAsync(HttpKit.Address).WaitAsync(Patience);
            }
            catch (HttpRequestException)
            {
            }

            TimeSpan took = _time.GetUtcNow() - begun;
            if (options.TotalTimeout is { } total) took.Should().BeLessThanOrEqualTo(total + Rounding, "the call ended after {0}: {1}", took, Show(options));
            return _attempts;
        }

        private void Made(TimeSpan due)
        {
            TimeSpan wait = new(Volatile.Read(ref _waitTicks));
            if (wait > TimeSpan.Zero && due >= wait && due <= wait + TimeSpan.FromMilliseconds(2) && Interlocked.Exchange(ref _waitTicks, 0) > 0)
                ThreadPool.UnsafeQueueUserWorkItem(_ => _time.Advance(due), null);
        }

        private void Heard(ResilienceEvent happened)
        {
            if (happened is RetryScheduled { Delay.Ticks: > 0 } retry) Volatile.Write(ref _waitTicks, retry.Delay.Ticks);
        }

        private async Task<HttpResponseMessage> AnswerAsync(CancellationToken token)
        {
            DateTimeOffset begun = _time.GetUtcNow();
            if (hangs)
            {
                TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
                using CancellationTokenRegistration registration = token.Register(ended.SetResult);
                TimeSpan attempt = options.AttemptTimeout ?? TimeSpan.MaxValue, total = options.TotalTimeout ?? TimeSpan.MaxValue;
                TimeSpan left = total == TimeSpan.MaxValue ? total : total - (begun - _time.Start);
                _time.Advance((attempt < left ? attempt : left) + TimeSpan.FromMilliseconds(5) + lateness);
                await ended.Task.WaitAsync(Patience, CancellationToken.None);
            }

            _attempts.Add(_time.GetUtcNow() - begun);
            token.ThrowIfCancellationRequested();
            return new(HttpStatusCode.ServiceUnavailable);
        }
    }
}

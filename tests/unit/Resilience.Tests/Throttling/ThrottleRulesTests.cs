namespace Resilience.Tests.Throttling;

/// <summary>The arithmetic, by vectors, and the laws of the formula against a dependency that is simulated call by call.</summary>
public sealed class ThrottleRulesTests
{
    [Theory]
    [InlineData(2, 10, 0.9, 5, 0, 0.3333)]
    [InlineData(2, 10, 0.9, 20, 0, 0.6667)]
    [InlineData(2, 10, 0.9, 100, 50, 0)]
    [InlineData(2, 10, 0.9, 100, 40, 0.1818)]
    [InlineData(2, 10, 0.9, 100, 25, 0.4545)]
    [InlineData(2, 10, 0.9, 100, 0, 0.9)]
    [InlineData(2, 10, 0.9, 1000, 100, 0.7921)]
    [InlineData(2, 1, 0.9, 100, 40, 0.1980)] // the "+1" of the book
    [InlineData(2, 1, 0.9, 100, 25, 0.4950)]
    [InlineData(2, 1, 0.9, 1000, 100, 0.7992)]
    [InlineData(2, 10, 0.9, 0, 0, 0)]
    [InlineData(2, 10, 0, 100, 0, 0)]
    public void The_share_follows_from_what_was_sent_and_what_was_accepted(double k, int padding, double max, long ended, long accepted, double share) =>
        new ThrottleRules(k, padding, max).Share(ended, accepted).Should().BeApproximately(share, 0.00005);

    /// <summary>Calls of one class at a steady rate, each answered at once by a dependency that accepts so many a second.</summary>
    private sealed class Dependency
    {
        private readonly ManualTime _time = new();
        private double _credit;

        internal Dependency(AdaptiveThrottleOptions options) => Throttle = new(options, _time, Randomness.Seeded(1));

        internal AdaptiveThrottle Throttle { get; }

        internal bool CountsLocalRejections { get; init; }

        /// <summary>Sent and offered calls of each second.</summary>
        internal List<(int Sent, int Offered)> Run(int seconds, int offered, Func<double, bool> accepts)
        {
            List<(int, int)> all = [];
            Random random = new(7);
            for (int second = 0; second < seconds; second++)
            {
                int sent = 0;
                for (int call = 0; call < offered; call++)
                {
                    _time.Advance(TimeSpan.FromSeconds(1.0 / offered));
                    if (Throttle.TryEnter() is not null)
                    {
                        if (CountsLocalRejections) Throttle.Record(Criticality.Critical, isAccepted: false); // the planted fault
                        continue;
                    }

                    sent++;
                    Throttle.Record(Criticality.Critical, accepts(random.NextDouble()));
                }

                all.Add((sent, offered));
            }

            return all;
        }

        /// <summary>As many as fit, by a bucket of tokens.</summary>
        internal Func<double, bool> Capacity(int perSecond, int offered) => _ =>
        {
            _credit = Math.Min(_credit + ((double)perSecond / offered / Math.Max(ShareSent, 0.01)), perSecond / 10.0);
            if (_credit < 1) return false;
            _credit--;
            return true;
        };

        private double ShareSent => 1 - Throttle.ShareRejected();
    }

    private static Dependency Of(Action<AdaptiveThrottleOptions>? configure = null, bool countsLocalRejections = false)
    {
        AdaptiveThrottleOptions options = new();
        configure?.Invoke(options);
        return new(options) { CountsLocalRejections = countsLocalRejections };
    }

    private static double PerSecond(List<(int Sent, int Offered)> seconds, int last) => seconds.TakeLast(last).Average(s => s.Sent);

    /// <summary>Of 1,000 calls a second to a dependency that accepts 100, about the root of K · 100 · 1,000 are sent.</summary>
    [Fact]
    public void Against_a_fixed_capacity_it_sends_the_root_of_k_times_capacity_times_offered()
    {
        Dependency dependency = Of();
        PerSecond(dependency.Run(180, 1000, dependency.Capacity(100, 1000)), 60).Should().BeInRange(447 * 0.9, 447 * 1.1);
    }

    [Theory]
    [InlineData(0.4, 0.2)]
    [InlineData(0.2, 0.6)]
    [InlineData(0.6, 0)]
    public void Against_independent_failures_it_rejects_one_less_k_times_the_share_of_successes(double successes, double rejected)
    {
        double sent = PerSecond(Of().Run(180, 1000, u => u < successes), 60) / 1000;
        (1 - sent).Should().BeApproximately(rejected, 0.03);
    }

    /// <summary>The formula of the book counts what it rejects itself as sent: with K·s below 1 nothing is let through any more.</summary>
    [Fact]
    public void Counted_local_rejections_are_the_collapse_that_we_do_not_have()
    {
        const double Successes = 0.4;
        Dependency planted = Of(o => o.MaxRejection = 0.99, countsLocalRejections: true);
        PerSecond(planted.Run(900, 100, u => u < Successes), 60).Should().BeLessThan(3);
        PerSecond(Of(o => o.MaxRejection = 0.99).Run(180, 100, u => u < Successes), 60).Should().BeGreaterThan(60);
    }

    [Fact]
    public void A_dead_dependency_gets_a_tenth_and_one_that_heals_all_within_the_window()
    {
        Dependency dependency = Of();
        PerSecond(dependency.Run(600, 100, _ => false), 500).Should().BeLessThan(10 + 1);
        List<(int Sent, int Offered)> healed = dependency.Run(40, 100, _ => true);
        healed.Skip(30).Sum(s => s.Offered - s.Sent).Should().BeLessThan(10, "less than one in a hundred of ten seconds");
        dependency.Throttle.ShareRejected().Should().Be(0);
    }
}

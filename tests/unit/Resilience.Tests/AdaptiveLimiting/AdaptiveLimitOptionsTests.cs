namespace Resilience.Tests.AdaptiveLimiting;

public sealed class AdaptiveLimitOptionsTests
{
    private static readonly string[] ProductOnly = [nameof(AdaptiveConcurrencyLimitOptions.ProbeFraction)];

    [Theory]
    [InlineData(1.5, 0.7, false)]
    [InlineData(1.3, 0.7, true)]
    [InlineData(1.9, 0.5, true)] // exactly 0.95
    [InlineData(1.5, 0.5, true)]
    public void Probes_must_measure_less_than_what_is_tolerated(double tolerance, double fraction, bool isAllowed)
    {
        AdaptiveConcurrencyLimitOptions options = new() { Algorithm = LimitAlgorithm.Gradient, Tolerance = tolerance, ProbeFraction = fraction };
        IReadOnlyList<OptionProblem> problems = options.FindProblems();
        problems.Select(p => p.Option).Should().Equal(isAllowed ? [] : ProductOnly);
        if (!isAllowed) problems[0].ToString().Should().Contain("ProbeFraction").And.Contain("Tolerance (1.5)").And.Contain("drift");
    }

    [Fact]
    public void All_that_is_wrong_is_said_at_once() =>
        FluentActions.Invoking(() => new AdaptiveConcurrencyLimit(new()
        {
            Algorithm = (LimitAlgorithm)7,
            InitialLimit = 0,
            MinLimit = 0,
            MaxLimit = 100_001,
            Window = TimeSpan.FromMilliseconds(99),
            MinSamples = 4,
            BackoffFactor = 1,
            OverloadShare = -0.1,
            LatencyTarget = TimeSpan.Zero,
            SlowShare = double.NaN,
            Tolerance = 5,
            ProbeFraction = 0.95,
            ProbeInterval = TimeSpan.FromSeconds(4),
            MaxQueued = -1,
            MaxWait = TimeSpan.Zero,
            StandingAfter = TimeSpan.Zero,
            StandingWait = TimeSpan.FromHours(1),
            CriticalShare = 0,
            SheddablePlusShare = 1.1,
            SheddableShare = 1.2,
        })).Should().Throw<ResilienceOptionsException>().Which.Problems.Select(p => p.Option).Distinct().Should().Equal(
            "Algorithm", "InitialLimit", "MinLimit", "MaxLimit", "Window", "MinSamples", "BackoffFactor", "OverloadShare", "LatencyTarget", "SlowShare",
            "Tolerance", "ProbeFraction", "ProbeInterval", "MaxQueued", "MaxWait", "StandingAfter", "StandingWait", "CriticalShare", "SheddablePlusShare", "SheddableShare");

    [Fact]
    public void Bounds_are_in_order()
    {
        new AdaptiveConcurrencyLimitOptions { InitialLimit = 20, MaxLimit = 10 }.FindProblems().Single().Option.Should().Be("InitialLimit");
        new AdaptiveConcurrencyLimitOptions { MinLimit = 20, MaxLimit = 10 }.FindProblems().Single().Option.Should().Be("MinLimit");
        new AdaptiveConcurrencyLimitOptions { MaxLimit = 2, InitialLimit = 2 }.FindProblems().Should().BeEmpty();
        new AdaptiveConcurrencyLimitOptions { MaxLimit = 2, InitialLimit = 2, Algorithm = LimitAlgorithm.Gradient }.FindProblems().Single().ToString()
            .Should().Contain("MinLimit is 4", "that is its default");
        new AdaptiveConcurrencyLimitOptions { SheddableShare = 0.9 }.FindProblems().Single().Option.Should().Be("SheddableShare");
    }

    [Theory]
    [InlineData(1, 1, 1, 1, 1)]
    [InlineData(4, 4, 4, 4, 3)]
    [InlineData(10, 10, 9, 8, 7)]
    [InlineData(30, 30, 27, 24, 21)]
    [InlineData(1000, 1000, 900, 800, 700)]
    public void Lower_classes_have_a_share_of_the_limit(int limit, params int[] expected)
    {
        LimitShares shares = LimitSetup.Of(new()).Shares;
        Criticality[] classes = [Criticality.CriticalPlus, Criticality.Critical, Criticality.SheddablePlus, Criticality.Sheddable];
        classes.Select(c => shares.BoundOf(c, limit)).Should().Equal(expected);
    }
}

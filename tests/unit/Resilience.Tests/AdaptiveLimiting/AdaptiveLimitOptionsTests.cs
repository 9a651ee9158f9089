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
            "Tolerance", "ProbeFraction", "ProbeInterval", "MaxQueued", "MaxWait", "StandingAfter", "StandingWait", "CriticalShare", "SheddablePlusShare",
            "SheddableShare");

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

    private static readonly Dictionary<string, Action<AdaptiveConcurrencyLimitOptions>> Others = new()
    {
        ["Algorithm"] = o => o.Algorithm = LimitAlgorithm.Gradient,
        ["InitialLimit"] = o => o.InitialLimit = 30,
        ["MinLimit"] = o => o.MinLimit = 7,
        ["MaxLimit"] = o => o.MaxLimit = 70,
        ["Window"] = o => o.Window = TimeSpan.FromSeconds(2),
        ["MinSamples"] = o => o.MinSamples = 33,
        ["BackoffFactor"] = o => o.BackoffFactor = 0.7,
        ["OverloadShare"] = o => o.OverloadShare = 0.3,
        ["LatencyTarget"] = o => o.LatencyTarget = TimeSpan.FromSeconds(3),
        ["SlowShare"] = o => o.SlowShare = 0.4,
        ["Tolerance"] = o => o.Tolerance = 1.7,
        ["ProbeFraction"] = o => o.ProbeFraction = 0.4,
        ["ProbeInterval"] = o => o.ProbeInterval = TimeSpan.FromSeconds(50),
        ["MaxQueued"] = o => o.MaxQueued = 3,
        ["QueueFollowsLimit"] = o => o.QueueFollowsLimit = true,
        ["MaxWait"] = o => o.MaxWait = TimeSpan.FromSeconds(5),
        ["StandingAfter"] = o => o.StandingAfter = TimeSpan.FromSeconds(1),
        ["StandingWait"] = o => o.StandingWait = TimeSpan.FromSeconds(1),
        ["CriticalShare"] = o => o.CriticalShare = 0.95,
        ["SheddablePlusShare"] = o => o.SheddablePlusShare = 0.85,
        ["SheddableShare"] = o => o.SheddableShare = 0.75,
        ["IsOverload"] = o => o.IsOverload = static _ => true,
    };

    public static TheoryData<string> Options => [.. typeof(AdaptiveConcurrencyLimitOptions).GetProperties()
        .Where(p => p.SetMethod is { IsPublic: true } && p.Name != "Name").Select(p => p.Name)];

    private static (LimitTerms Terms, QueueTerms Queue, LimitShares Shares, long Target, LimitAlgorithm Algorithm, bool Asks) SetupOf(
        AdaptiveConcurrencyLimit limit)
    {
        LimitSetup setup = limit.Period.Setup;
        return (setup.Rules.Terms, setup.Queue, setup.Shares, setup.LatencyTargetTicks, setup.Options.Algorithm, setup.Options.IsOverload is not null);
    }

    [Theory]
    [MemberData(nameof(Options))]
    public void Every_option_takes_effect_by_an_update_and_is_not_read_afterwards(string option)
    {
        AdaptiveConcurrencyLimitOptions given = new();
        AdaptiveConcurrencyLimit limit = new(given), plain = new(new());
        Others[option](given);
        SetupOf(limit).Should().Be(SetupOf(plain), "the options were copied");
        limit.Update(given);
        SetupOf(limit).Should().Be(SetupOf(new(given))).And.NotBe(SetupOf(plain));
        limit.Limit.Should().Be(given.InitialLimit, "nothing has been learnt yet");
    }
}

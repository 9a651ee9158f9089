namespace Resilience.Tests.LoadShedding;

/// <summary>The arithmetic of what is rejected at which level.</summary>
public sealed class SheddingRulesTests
{
    [Theory]
    [InlineData(0, 100)]
    [InlineData(0.35, 95.7)]
    [InlineData(0.5, 87.5)]
    [InlineData(0.63, 75.0)]
    [InlineData(0.8, 48.8)]
    [InlineData(0.95, 14.3)]
    [InlineData(1, 0)]
    public void The_cut_off_falls_with_the_cube(double level, double cutOff) => SheddingRules.CutOff(level).Should().BeApproximately(cutOff, 0.05);

    [Theory]
    [InlineData(Criticality.CriticalPlus, 0, 10)]
    [InlineData(Criticality.Critical, 10, 50)]
    [InlineData(Criticality.SheddablePlus, 50, 75)]
    [InlineData(Criticality.Sheddable, 75, 100)]
    public void Each_class_has_its_band(Criticality criticality, double from, double to)
    {
        SheddingRules.PositionOf(criticality, 0).Should().Be(from);
        SheddingRules.PositionOf(criticality, 0.5).Should().Be((from + to) / 2);
        SheddingRules.PositionOf(criticality, 1).Should().Be(to);
    }

    [Fact]
    public void At_no_level_is_a_lower_class_served_while_a_higher_one_is_rejected()
    {
        for (double level = 0; level <= 1; level += 0.001)
        {
            double cutOff = SheddingRules.CutOff(level);
            for (Criticality lower = Criticality.Sheddable; lower < Criticality.CriticalPlus; lower++)
            {
                bool isLowerServed = SheddingRules.IsServed(lower, 0, cutOff), isHigherServed = SheddingRules.IsServed(lower + 1, 1 - 1e-9, cutOff);
                (isLowerServed && !isHigherServed).Should().BeFalse("level {0}, {1}", level, lower);
            }
        }

        SheddingRules.IsServed(Criticality.CriticalPlus, 0, SheddingRules.CutOff(1)).Should().BeFalse("nothing is served at the end of the scale");
        SheddingRules.IsServed(Criticality.Sheddable, 1 - 1e-9, SheddingRules.CutOff(0)).Should().BeTrue("all is served at its beginning");
    }

    [Theory]
    [InlineData(0.79, 0)]
    [InlineData(0.8, 0)]
    [InlineData(0.875, 0.5)]
    [InlineData(0.95, 1)]
    [InlineData(7, 1)]
    [InlineData(double.NaN, 0)]
    [InlineData(double.NegativeInfinity, 0)]
    [InlineData(double.PositiveInfinity, 1)]
    public void A_range_says_how_far_a_value_is_on_its_way(double value, double level) =>
        new OverloadRange(0.8, 0.95).LevelOf(value).Should().BeApproximately(level, 1e-9);

    [Fact]
    public void The_place_of_a_user_stays_for_an_hour_and_is_the_same_in_every_process()
    {
        DateTimeOffset noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
        double place = FairPosition.Of("tenant-7", noon);
        FairPosition.Of("tenant-7", noon.AddMinutes(59)).Should().Be(place);
        FairPosition.Of("tenant-7", noon.AddMinutes(60)).Should().NotBe(place, "no one stands last for long");
        FairPosition.Of("tenant-8", noon).Should().NotBe(place);
        FairPosition.Of("tenant-7", 1).Should().Be(0.7047855145298665, "another process, and the next version, must come to the same"); // computed apart
    }

    [Fact]
    public void The_places_of_users_are_spread_evenly()
    {
        const int users = 20_000, slices = 20;
        int[] counts = new int[slices];
        for (int i = 0; i < users; i++)
        {
            double place = FairPosition.Of(i.ToString(System.Globalization.CultureInfo.InvariantCulture), 495_036);
            place.Should().BeInRange(0, 1 - 1e-12);
            counts[(int)(place * slices)]++;
        }

        double expected = (double)users / slices, chiSquare = counts.Sum(c => (c - expected) * (c - expected) / expected);
        chiSquare.Should().BeLessThan(43.8, "0.1 % of even draws are worse (19 degrees of freedom)");
        FairPosition.Of("", 0).Should().BeInRange(0, 1 - 1e-12);
    }
}

using CsCheck;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Resilience.Overload;

namespace Resilience.AspNetCore.Tests.Deadlines;

/// <summary>What is read of the headers of a request, whatever stands in them.</summary>
public sealed class DeadlineHeaderTests
{
    private const double Longest = -1;

    [Theory]
    [InlineData("1S", 1000.0)]
    [InlineData("100m", 100.0)]
    [InlineData("500000u", 500.0)]
    [InlineData("99999999n", 99.9999)] // 99.999999 ms: no TimeSpan is so fine, and it is never more than was stated
    [InlineData("1H", 3_600_000.0)]
    [InlineData("2M", 120_000.0)]
    [InlineData("0S", 0.0)]
    [InlineData("99999999H", 99_999_999.0 * 3_600_000)]
    [InlineData("123456789S", null)]
    [InlineData("S", null)]
    [InlineData("", null)]
    [InlineData("1", null)]
    [InlineData("-1S", null)]
    [InlineData("+1S", null)]
    [InlineData("1.5S", null)]
    [InlineData("1s", null)]
    [InlineData("1 S", null)]
    [InlineData("\u0661S", null)] // a digit of another script
    [InlineData("\uff11S", null)]
    public void A_time_of_gRPC_is_read_by_its_rules(string text, double? milliseconds) =>
        (DeadlineHeaders.GrpcTime(text)?.TotalMilliseconds).Should().Be(milliseconds);

    [Theory]
    [InlineData("1500", 1500.0)]
    [InlineData("0", 0.0)]
    [InlineData("00000000000000000000000000000007", 7.0)]
    [InlineData("99999999999999999999999999999999", Longest)]
    [InlineData("9223372036854775807", Longest)]
    [InlineData("-1", null)]
    [InlineData("1.5", null)]
    [InlineData("1e3", null)]
    [InlineData("0x10", null)]
    [InlineData("1_000", null)]
    [InlineData("1500ms", null)]
    [InlineData("\u0661\u0662", null)]
    [InlineData("NaN", null)]
    public void Whole_milliseconds_are_digits_and_nothing_else(string text, double? milliseconds)
    {
        TimeSpan? read = DeadlineHeaders.Milliseconds(text);
        if (milliseconds == Longest) read.Should().Be(TimeSpan.MaxValue);
        else (read?.TotalMilliseconds).Should().Be(milliseconds);
    }

    [Theory]
    [InlineData("1500ms", 1500.0)]
    [InlineData("2s", 2000.0)]
    [InlineData("2S", 2000.0)]
    [InlineData("2", null)]
    [InlineData("1.5s", null)]
    [InlineData("s", null)]
    [InlineData("ms", null)]
    [InlineData("-2s", null)]
    public void A_bare_number_is_no_time_where_units_differ(string text, double? milliseconds) =>
        (DeadlineHeaders.TimeWithUnit(text)?.TotalMilliseconds).Should().Be(milliseconds);

    [Fact]
    public void The_smallest_time_counts_and_what_cannot_be_read_is_told()
    {
        List<string> malformed = [];
        HeaderDictionary headers = new()
        {
            [DeadlineHeaders.Timeout] = new(["5000", "x", "7000, 4000"]),
            [DeadlineHeaders.Grpc] = "3S",
            [DeadlineHeaders.Envoy] = "-1",
            [DeadlineHeaders.WithUnit] = "2",
        };
        DeadlineHeaders.ReadTimeout(headers, malformed.Add).Should().Be(TimeSpan.FromSeconds(3));
        malformed.Should().Equal(DeadlineHeaders.Timeout, DeadlineHeaders.Envoy, DeadlineHeaders.WithUnit);
        DeadlineHeaders.ReadTimeout(new HeaderDictionary { [DeadlineHeaders.Timeout] = "" }, malformed.Add).Should().BeNull();
        headers[DeadlineHeaders.Timeout] = new(string.Join(',', Enumerable.Range(1, 10_000).Reverse()));
        DeadlineHeaders.ReadTimeout(headers, static _ => { }).Should().Be(TimeSpan.FromMilliseconds(1));
    }

    [Theory]
    [InlineData("critical-plus", Criticality.CriticalPlus)]
    [InlineData("CRITICAL", Criticality.Critical)]
    [InlineData(" sheddable-plus ", Criticality.SheddablePlus)]
    [InlineData("critical, sheddable", Criticality.Sheddable)]
    [InlineData("3", null)]
    [InlineData("CriticalPlus", null)]
    [InlineData("", null)]
    public void The_lowest_class_counts(string text, Criticality? expected)
    {
        List<string> malformed = [];
        DeadlineHeaders.ReadCriticality(new HeaderDictionary { [DeadlineHeaders.Criticality] = text }, malformed.Add).Should().Be(expected);
        malformed.Should().HaveCount(expected is null ? 1 : 0);
    }

    [Theory]
    [InlineData("2", 2)]
    [InlineData("0, 7", 7)]
    [InlineData("99999999999999999999", DeadlineHeaders.MaxAttempt)]
    [InlineData("-3", 0)]
    [InlineData("two", 0)]
    public void The_number_of_an_attempt_is_bounded(string text, int expected) =>
        DeadlineHeaders.ReadAttempt(new HeaderDictionary { [DeadlineHeaders.Attempt] = text }, static _ => { }).Should().Be(expected);

    [Fact]
    public void Whatever_stands_in_a_header_a_time_is_never_negative() =>
        Gen.String[Gen.Char["0123456789HMSmuns,.-+ \t\u0661x"], 0, 40].Array[0, 4].Sample(values =>
        {
            HeaderDictionary headers = [];
            foreach (string name in (string[])[DeadlineHeaders.Timeout, DeadlineHeaders.Grpc, DeadlineHeaders.Envoy, DeadlineHeaders.WithUnit])
                headers[name] = new StringValues(values);
            return (DeadlineHeaders.ReadTimeout(headers, static _ => { }) ?? TimeSpan.Zero) >= TimeSpan.Zero
                && DeadlineHeaders.ReadAttempt(headers, static _ => { }) >= 0;
        }, iter: 20_000);
}

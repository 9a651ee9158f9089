namespace Resilience.Tests.Unary;

/// <summary>The reader of <c>google.rpc.RetryInfo</c>, against messages that are written by hand.</summary>
public sealed class RetryInfoTests
{
    private const string OurType = "type.googleapis.com/google.rpc.RetryInfo";

    /// <summary>A <c>google.rpc.Status</c> with the details that say to come back.</summary>
    internal static byte[] Details(long seconds, int nanos, string type = OurType) =>
    [
        .. Number(1, 8), .. Text(2, "busy"),
        .. Part(3, [.. Text(1, "type.googleapis.com/google.rpc.DebugInfo"), .. Part(2, [.. Text(1, "stack"), .. Text(2, "detail")])]),
        .. Part(3, [.. Text(1, type), .. Part(2, Part(1, [.. Number(1, (ulong)seconds), .. Number(2, (ulong)nanos)]))]),
    ];

    [Theory]
    [InlineData(0, 1_000_000, 0.001)]
    [InlineData(2, 500_000_000, 2.5)]
    [InlineData(1, 0, 1)]
    [InlineData(86_400 * 365L, 0, 86_400 * 365d)]
    public void A_delay_is_read(long seconds, int nanos, double expected) =>
        RetryInfo.Of(Details(seconds, nanos)).Should().Be(TimeSpan.FromSeconds(expected));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-1, 0)]
    [InlineData(0, -5)]
    [InlineData(1, 1_000_000_000)]
    [InlineData(long.MaxValue, 0)]
    public void A_delay_that_is_none_says_nothing(long seconds, int nanos) => RetryInfo.Of(Details(seconds, nanos)).Should().BeNull();

    [Fact]
    public void A_nanosecond_is_rounded_up() => RetryInfo.Of(Details(0, 1)).Should().Be(TimeSpan.FromTicks(1));

    [Fact]
    public void Details_of_another_type_say_nothing()
    {
        RetryInfo.Of(Details(1, 0, "type.googleapis.com/google.rpc.NotRetryInfo")).Should().BeNull();
        RetryInfo.Of(Details(1, 0, "google.rpc.RetryInfo")).Should().Be(TimeSpan.FromSeconds(1), "the part before the last slash is not looked at");
        RetryInfo.Of(ReadOnlySpan<byte>.Empty).Should().BeNull();
    }

    /// <summary>Whatever comes over the wire is read without an exception, and without an end that is not there.</summary>
    [Fact]
    public void Bytes_that_are_cut_off_or_changed_anywhere_never_throw()
    {
        byte[] whole = Details(7, 250_000_000);
        for (int length = 0; length < whole.Length; length++) RetryInfo.Of(whole.AsSpan(0, length));
        Random random = new(17);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] changed = [.. whole];
            for (int j = random.Next(1, 4); j > 0; j--) changed[random.Next(changed.Length)] = (byte)random.Next(256);
            RetryInfo.Of(changed)?.Should().BeGreaterThan(TimeSpan.Zero);
        }
    }

    private static byte[] Number(int field, ulong value) => [.. Varint((ulong)(field << 3)), .. Varint(value)];

    private static byte[] Text(int field, string text) => Part(field, System.Text.Encoding.UTF8.GetBytes(text));

    private static byte[] Part(int field, byte[] bytes) => [.. Varint((ulong)((field << 3) | 2)), .. Varint((ulong)bytes.Length), .. bytes];

    private static IEnumerable<byte> Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7) yield return (byte)(value | 0x80);
        yield return (byte)value;
    }
}

using CsCheck;

namespace Resilience.AspNetCore.Tests;

/// <summary>The header and the stored response, against everything that can be sent or stored.</summary>
public sealed class ParserTests
{
    private static readonly int Times = Environment.GetEnvironmentVariable("RESILIENCE_DEEP") is null ? 100_000 : 5_000_000;

    private static bool Parse(string? value, out string key, bool acceptBare = true) => IdempotencyKeyHeader.TryParse(value, acceptBare, out key, out _);

    [Theory]
    [InlineData("\"abc\"", "abc")]
    [InlineData("abc", "abc")]
    [InlineData("  abc  ", "abc")]
    [InlineData("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324")]
    [InlineData("\"a b\"", "a b")]
    [InlineData("\"a,b;c\"", "a,b;c")]
    [InlineData("\"a\\\"b\\\\c\"", "a\"b\\c")]
    [InlineData("\"abc\";a;b=1;c=\"x;\\\"y\"; d=?1", "abc")]
    [InlineData("\"' OR 1=1 --\"", "' OR 1=1 --")]
    [InlineData("../../etc/passwd", "../../etc/passwd")]
    [InlineData("{tag}*", "{tag}*")]
    [InlineData("a~b", "a~b")]
    [InlineData("\"abc\";a", "abc")]
    [InlineData("\"abc\";a1", "abc")]
    [InlineData("\"abc\";*a_b-c.d9=1;e", "abc")]
    public void What_is_a_key(string value, string expected)
    {
        Parse(value, out string key).Should().BeTrue();
        key.Should().Be(expected);
    }

    /// <summary>Bare items of each kind (RFC 9651, section 3.3), at their bounds.</summary>
    [Theory]
    [InlineData("1", "0", "-0", "-999999999999999", "1.5", "-123456789012.123")]
    [InlineData("\"\"", "\"a b\"", "\"\\\"\\\\\"")]
    [InlineData("a", "*a", "A/b:c", "a!#$%&'*+-.^_`|~")]
    [InlineData(":cHJldGVuZA==:", "::", ":aGVsbG8:", ":YQ:", ":YQ5=:", ":YU==:", ":iZ==:", ":/+Ah:")]
    [InlineData("?0", "?1")]
    [InlineData("@1659578233", "@-1")]
    [InlineData("%\"\"", "%\"a b\"", "%\"f%c3%bc\"")]
    public void What_is_a_parameter(params string[] items)
    {
        foreach (string item in items) Parse($"\"abc\";a={item};b", out _).Should().BeTrue(item);
    }

    [Theory]
    [InlineData("", "-", "--1", "1.", ".1", "1.1234", "1234567890123.1", "1234567890123456", "1.2.3", "0x1")]
    [InlineData("\"", "\"a", "\"\\x\"", "\"\\")]
    [InlineData("a@", "!a", "/a", "_a", "a b", "(1 2)", "1a", "a=b")]
    [InlineData(":", ":a", ":a b:", ":!:", ":_-:", ":a:", ":=:", ":====:", ":=aGVsbG8=:", ":aGVsbG8=\n:", ":aGVsbG8==:", ":YQ=:", ":a===:", ":YQ=Q:")]
    [InlineData("?", "?2", "?true", "?01")]
    [InlineData("@", "@1.5", "@a", "@@1")]
    [InlineData("%", "%a", "%\"", "%\"%\"", "%\"%C3%BC\"", "%\"%c3\"", "%\"%zz\"")]
    public void What_is_no_parameter(params string[] items)
    {
        foreach (string item in items) Parse($"\"abc\";a={item}", out _).Should().BeFalse(item);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("\"\"")]
    [InlineData("\"")]
    [InlineData("\"abc")]
    [InlineData("\"abc\\\"")]
    [InlineData("\"abc\\")]
    [InlineData("\"a\\bc\"")]
    [InlineData("\"abc\"x")]
    [InlineData("\"abc\" \"def\"")]
    [InlineData("\"abc\",\"def\"")]
    [InlineData("\"abc\";")]
    [InlineData("\"abc\";A=1")]
    [InlineData("\"abc\";a=")]
    [InlineData("\"abc\";a=\"x")]
    [InlineData("a\"b")]
    [InlineData("a;b=1")]
    [InlineData("a\tb")]
    [InlineData("a\0b")]
    [InlineData("k\u00e9y")]
    [InlineData("\"k\u00e9y\"")]
    [InlineData("\"a\u007f\"")]
    [InlineData("a b")]
    [InlineData("\"abc\";1a")]
    [InlineData("\"abc\";-a=1")]
    public void What_is_none(string? value)
    {
        Parse(value, out string key).Should().BeFalse();
        key.Should().BeEmpty();
        IdempotencyKeyHeader.TryParse(value, true, out _, out string problem);
        problem.Should().NotBeEmpty();
    }

    [Fact]
    public void A_value_may_be_as_long_as_the_bound_and_mistakes_are_reported()
    {
        Parse(new string('k', IdempotencyKeyHeader.MaxValue), out string key).Should().BeTrue();
        key.Should().HaveLength(IdempotencyKeyHeader.MaxValue);
        IdempotencyKeyHeader.TryParse(new string('k', IdempotencyKeyHeader.MaxValue + 1), true, out _, out string tooLong).Should().BeFalse();
        tooLong.Should().Be("is longer than 1024 characters");
        IdempotencyKeyHeader.TryParse("abc", false, out _, out string bare).Should().BeFalse();
        bare.Should().Be("is not in quotes");
        IdempotencyKeyHeader.TryParse("\"abc\"", false, out _, out string none).Should().BeTrue();
        none.Should().BeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("a\tb")]
    [InlineData("k\u00e9y")]
    public void What_a_header_cannot_carry_is_not_formatted(string? key) =>
        FluentActions.Invoking(() => IdempotencyKeyHeader.Format(key!)).Should().Throw<ArgumentException>().WithParameterName(nameof(key));

    [Fact]
    public void Whatever_is_sent_is_read_or_rejected_and_a_formatted_key_is_read_back()
    {
        Gen<string> hostile = Gen.OneOf(
            Gen.String, Gen.String[Gen.Char["\"\\;,=a1? \t\0\u00ff*:"], 0, 24], Gen.String[Gen.Char[' ', '~'], 1, 60].Select(s => $"\"{s}\""));
        hostile.Sample(value =>
        {
            bool isKey = Parse(value, out string key);
            if (!isKey) return key.Length == 0;
            return key.Length > 0 && key.All(c => c is >= ' ' and <= '~') && Parse(IdempotencyKeyHeader.Format(key), out string again, acceptBare: false)
                && again == key;
        }, iter: Times);
        Gen.String[Gen.Char[' ', '~'], 1, 255]
            .Sample(key => Parse(IdempotencyKeyHeader.Format(key), out string read, acceptBare: false) && read == key, iter: Times / 10);
    }

    private static readonly Gen<HttpResponseRecord> Records = Gen.Select(
        Gen.Int[200, 599], Gen.Bool,
            Gen.Select(Gen.String[Gen.Char.AlphaNumeric, 1, 20], Gen.String).Select(h => new KeyValuePair<string, string>(h.Item1, h.Item2)).List[0, 6],
        Gen.Byte.Array[0, 300]).Select((status, omitted, headers, body) => new HttpResponseRecord { Status = status, IsBodyOmitted = omitted, Headers = headers, Body = body });

    [Fact]
    public void A_stored_response_is_read_back_as_it_was()
    {
        Records.Where(r => r.Headers.All(h => h.Value == Clean(h.Value))).Sample(record =>
        {
            HttpResponseRecord? read = HttpResponseRecord.Decode(record.Encode());
            return read is not null && read.Status == record.Status && read.IsBodyOmitted == record.IsBodyOmitted && read.Headers.SequenceEqual(record.Headers)
                && read.Body.Span.SequenceEqual(record.Body.Span);
        }, iter: Times / 20);

        static string Clean(string text) => System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text));
    }

    [Fact]
    public void A_stored_response_is_read_back_at_its_edges()
    {
        HttpResponseRecord edge = new() { Status = 999, Headers = [new("long", new string('v', 70_000)), new("empty", "")] };
        HttpResponseRecord read = HttpResponseRecord.Decode(edge.Encode())!;
        read.Status.Should().Be(999);
        read.Headers.Should().Equal(edge.Headers);
        read.Body.Length.Should().Be(0);

        byte[] bytes = new HttpResponseRecord { Status = 200 }.Encode();
        HttpResponseRecord.Decode(bytes).Should().NotBeNull();
        bytes[2] = 2;
        HttpResponseRecord.Decode(bytes).Should().BeNull("there is no such flag");
        HttpResponseRecord.Decode(new HttpResponseRecord { Status = 199 }.Encode()).Should().BeNull("it is no final status");
        FluentActions.Invoking(() => new HttpResponseRecord { Status = 200, Headers = [new(new string('n', 65_536), "")] }.Encode())
            .Should().Throw<OverflowException>("a name of that length would be read back as another");
    }

    [Fact]
    public void Whatever_is_stored_is_read_or_rejected_and_nothing_is_invented()
    {
        Gen.Byte.Array[0, 64].Sample(bytes =>
        {
            HttpResponseRecord? read = HttpResponseRecord.Decode(bytes);
            return read is null || read.Encode().Length <= bytes.Length + (3 * bytes.Length);
        }, iter: Times);
        Gen.Select(Records, Gen.Int[0, 400]).Sample((record, cut) =>
        {
            byte[] whole = record.Encode();
            int length = Math.Min(cut, whole.Length);
            HttpResponseRecord? read = HttpResponseRecord.Decode(whole.AsMemory(0, length));
            return read is null || read.Body.Length <= record.Body.Length;
        }, iter: Times / 20);
    }
}

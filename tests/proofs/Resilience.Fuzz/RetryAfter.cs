using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;

namespace Resilience.Fuzz;

/// <summary>The <c>Retry-After</c> header of an answer: seconds, or a date measured on the client's clock.</summary>
internal static partial class RetryAfter
{
    private static readonly DateTimeOffset Now = new(2026, 2, 28, 23, 59, 30, TimeSpan.Zero);
    private static readonly Tests.ManualTime Clock = new() { Timestamp = (Now - Tests.ManualTime.Start).Ticks };

    internal static Oracle Make(Planted planted) => new(
        "retry-after", bytes => Check(Encoding.Latin1.GetString(bytes), planted),
        ["0", "120", "-1", "+5", "1.5", "2147483647", "2147483648", "99999999999999999999", "Sun, 01 Mar 2026 00:00:00 GMT", "Sat, 28 Feb 2026 23:59:30 GMT",
            "Sunday, 01-Mar-26 00:00:00 GMT", "Sun Mar  1 00:00:00 2026", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", " ", ",", ";", "UTC", "\0"]);

    private static void Check(string value, Planted planted)
    {
        TimeSpan? read = Read(value, planted);
        Oracle.Require(read is null || read > TimeSpan.Zero, $"a wait of {read}");
        string text = value.Trim(' ', '\t');
        if (Seconds().IsMatch(text))
        {
            // The framework's parser reads ten digits and 32 bits; we read the rest, and what is more than 68 years is as long as there is.
            BigInteger seconds = BigInteger.Parse(text, CultureInfo.InvariantCulture);
            TimeSpan? asked = seconds <= int.MaxValue ? Span((long)seconds) : TimeSpan.MaxValue;
            Oracle.Require(read == asked, $"{text} seconds are read as {read}");
        }
        else if (DateTimeOffset.TryParseExact(text, "R", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset date))
        {
            Oracle.Require(read == Left(date), $"at {Now} the date {text} is read as {read}");
        }

        // The same input as a wait, and as a date, that a server wants to send.
        byte[] bytes = [.. Encoding.Latin1.GetBytes(value), .. new byte[8]];
        int wait = BitConverter.ToInt32(bytes) & int.MaxValue;
        Oracle.Require(Read(wait.ToString(CultureInfo.InvariantCulture), planted) == Span(wait), $"{wait} seconds are not read back");
        DateTimeOffset at = Now.AddSeconds(BitConverter.ToInt32(bytes, 4));
        Oracle.Require(Read(at.ToString("R", CultureInfo.InvariantCulture), planted) == Left(at), $"the date {at:R} is not read back");
    }

    /// <summary>A date that has passed says nothing.</summary>
    private static TimeSpan? Left(DateTimeOffset date) => date > Now ? date - Now : null;

    private static TimeSpan? Span(long seconds) => seconds > 0 ? TimeSpan.FromSeconds(seconds) : null;

    private static TimeSpan? Read(string value, Planted planted)
    {
        using HttpResponseMessage response = new(System.Net.HttpStatusCode.ServiceUnavailable);
        response.Headers.TryAddWithoutValidation("Retry-After", value);
        TimeSpan? read = HttpClassifier.ReadRetryAfter(response, Clock);
        if (planted == Planted.NegativeWait && response.Headers.RetryAfter?.Date is { } date) return date - Now;
        return planted == Planted.WrapsSeconds && response.Headers.RetryAfter?.Delta is { } delta
            ? TimeSpan.FromMilliseconds(unchecked((int)delta.TotalSeconds * 1000))
            : read;
    }

    [GeneratedRegex(@"\A[0-9]+\z")]
    private static partial Regex Seconds();
}

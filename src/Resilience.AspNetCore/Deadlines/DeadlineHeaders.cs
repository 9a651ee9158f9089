using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Resilience.Overload;

/// <summary>Reads what a caller says of its request. Pure; whatever a header holds, the answer is a value in its range or "malformed".</summary>
/// <remarks>Digits are those of ASCII. Where a header is there several times, or lists several values, the smallest time and the lowest class count:
/// a caller may only ask for less.</remarks>
internal static class DeadlineHeaders
{
    internal const string Timeout = "X-Request-Timeout-Ms",
        Grpc = "grpc-timeout",
        Envoy = "X-Envoy-Expected-Rq-Timeout-Ms",
        WithUnit = "X-Request-Timeout",
        Criticality = "X-Request-Criticality",
        Attempt = "X-Request-Attempt",
        GrpcAttempts = "grpc-previous-rpc-attempts";

    /// <summary>Numbers of attempts beyond it are taken for it.</summary>
    internal const int MaxAttempt = 1_000_000;

    private const int MaxDigitsOfGrpc = 8;

    private delegate TimeSpan? TimeReader(ReadOnlySpan<char> text);

    private static readonly (string Header, TimeReader Read)[] Times =
    [
        (Timeout, static t => Milliseconds(t)), (Grpc, static t => GrpcTime(t)), (Envoy, static t => Milliseconds(t)), (WithUnit, static t => TimeWithUnit(t)),
    ];

    /// <summary>The least time that any header states; null when none does.</summary>
    /// <param name="headers">Those of the request.</param>
    /// <param name="malformed">Told the name of each header that holds something else.</param>
    internal static TimeSpan? ReadTimeout(IHeaderDictionary headers, Action<string> malformed)
    {
        TimeSpan? least = null;
        foreach ((string header, TimeReader read) in Times)
        {
            if (!headers.TryGetValue(header, out StringValues values)) continue;
            bool isMalformed = false;
            foreach (string? value in values)
            {
                foreach (Range part in value.AsSpan().Split(','))
                {
                    if (read(value.AsSpan(part).Trim(" \t")) is { } time) least = least is { } known && known < time ? known : time;
                    else isMalformed = true;
                }
            }

            if (isMalformed) malformed(header);
        }

        return least;
    }

    /// <summary>The lowest class that is stated; null when none is.</summary>
    internal static Criticality? ReadCriticality(IHeaderDictionary headers, Action<string> malformed)
    {
        if (!headers.TryGetValue(Criticality, out StringValues values)) return null;
        Criticality? lowest = null;
        bool isMalformed = false;
        foreach (string? value in values)
        {
            foreach (Range part in value.AsSpan().Split(','))
            {
                if (ClassOf(value.AsSpan(part).Trim(" \t")) is { } said) lowest = lowest is { } known && known < said ? known : said;
                else isMalformed = true;
            }
        }

        if (isMalformed) malformed(Criticality);
        return lowest;
    }

    /// <summary>The largest number of an attempt that is stated, also as gRPC states it; 0 when none is.</summary>
    internal static int ReadAttempt(IHeaderDictionary headers, Action<string> malformed) =>
        Math.Max(ReadAttempt(headers, Attempt, malformed), ReadAttempt(headers, GrpcAttempts, malformed));

    private static int ReadAttempt(IHeaderDictionary headers, string name, Action<string> malformed)
    {
        if (!headers.TryGetValue(name, out StringValues values)) return 0;
        long largest = 0;
        bool isMalformed = false;
        foreach (string? value in values)
        {
            foreach (Range part in value.AsSpan().Split(','))
            {
                if (Number(value.AsSpan(part).Trim(" \t")) is { } said) largest = Math.Max(largest, said);
                else isMalformed = true;
            }
        }

        if (isMalformed) malformed(name);
        return (int)Math.Min(largest, MaxAttempt);
    }

    /// <summary>Whole milliseconds.</summary>
    internal static TimeSpan? Milliseconds(ReadOnlySpan<char> text) => Number(text) is { } number ? Span(number, TimeSpan.TicksPerMillisecond) : null;

    /// <summary>One to eight digits and a unit (gRPC over HTTP/2). What is less than 100 ns is dropped: never more than was stated.</summary>
    internal static TimeSpan? GrpcTime(ReadOnlySpan<char> text)
    {
        if (text.Length is < 2 or > MaxDigitsOfGrpc + 1 || Number(text[..^1]) is not { } number) return null;
        return text[^1] switch
        {
            'H' => Span(number, TimeSpan.TicksPerHour),
            'M' => Span(number, TimeSpan.TicksPerMinute),
            'S' => Span(number, TimeSpan.TicksPerSecond),
            'm' => Span(number, TimeSpan.TicksPerMillisecond),
            'u' => Span(number, TimeSpan.TicksPerMicrosecond),
            'n' => new TimeSpan(number / TimeSpan.NanosecondsPerTick),
            _ => null,
        };
    }

    /// <summary>"1500ms" or "2s". A bare number is seconds for some and milliseconds for others.</summary>
    internal static TimeSpan? TimeWithUnit(ReadOnlySpan<char> text)
    {
        if (text.EndsWith("ms", StringComparison.OrdinalIgnoreCase)) return Milliseconds(text[..^2]);
        return text.EndsWith("s", StringComparison.OrdinalIgnoreCase) && Number(text[..^1]) is { } seconds ? Span(seconds, TimeSpan.TicksPerSecond) : null;
    }

    private static Criticality? ClassOf(ReadOnlySpan<char> text) =>
        text.Equals("critical", StringComparison.OrdinalIgnoreCase) ? Overload.Criticality.Critical
        : text.Equals("sheddable", StringComparison.OrdinalIgnoreCase) ? Overload.Criticality.Sheddable
        : text.Equals("sheddable-plus", StringComparison.OrdinalIgnoreCase) ? Overload.Criticality.SheddablePlus
        : text.Equals("critical-plus", StringComparison.OrdinalIgnoreCase) ? Overload.Criticality.CriticalPlus
        : null;

    /// <summary>Digits alone; a number that no <see cref="long"/> holds is the largest.</summary>
    private static long? Number(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty) return null;
        long number = 0;
        foreach (char c in text)
        {
            if (!char.IsAsciiDigit(c)) return null;
            number = number > (long.MaxValue - 9) / 10 ? long.MaxValue : (number * 10) + (c - '0');
        }

        return number;
    }

    private static TimeSpan Span(long number, long ticks) => number > long.MaxValue / ticks ? TimeSpan.MaxValue : new(number * ticks);
}

using System.Net.Http.Headers;

namespace Resilience.Http;

/// <summary>Sees by the requests themselves that a library above this client sends them again, and remembers which libraries do. Thread-safe.</summary>
/// <remarks>
/// The AWS SDK says with its first request how many attempts it makes. Kiota says it with the second. An SDK of Azure and Stripe's send a number of
/// the call: one that comes again after a failure is a retry. What was seen once holds for all later requests of that library. A request that carries
/// the idempotency key of one that has failed is a retry if it goes to the same address from the same span: without a span the caller's own, later,
/// try looks the same.
/// </remarks>
internal sealed class RetriesAbove
{
    private static readonly Library Aws = new("the AWS SDK", "amz-sdk-request");
    private static readonly Library Kiota = new("Kiota", "User-Agent", "kiota-dotnet");
    private static readonly Library Azure = new("an SDK of Azure", "x-ms-client-request-id") { IsNumber = true };
    private static readonly Library Stripe = new("Stripe's SDK", "X-Stripe-Client-User-Agent");
    private static readonly Library Any = new("what calls this client", "");

    private readonly RecentFailures<string> _failures = new(); // numbers of requests
    private int _known; // the libraries that were seen to repeat, a bit each
    private int _hasTold;

    /// <summary>Called once, with what repeats.</summary>
    internal Action<string>? Tell { get; set; }

    /// <summary>What stands against repeating this request here, because a library above repeats it; null: that does not show.</summary>
    /// <param name="request">The request of the caller.</param>
    /// <param name="keyHeader">Where idempotency keys are.</param>
    internal string? Find(HttpRequestMessage request, string keyHeader)
    {
        if (MessageParts.HeadersOf(request)?.NonValidated is not { Count: > 0 } headers || Look(request, headers, keyHeader) is not { } above) return null;
        if (Interlocked.Exchange(ref _hasTold, 1) == 0) Tell?.Invoke(above.Name);
        return above.Objection;
    }

    /// <summary>This request has failed so that it may be repeated: another one with its number would be a retry.</summary>
    internal void Failed(HttpRequestMessage request, string keyHeader)
    {
        if (MessageParts.HeadersOf(request)?.NonValidated is { Count: > 0 } headers && NumberOf(request, headers, ByNumber(headers), keyHeader) is { } number)
            _failures.Add(number);
    }

    private Library? Look(HttpRequestMessage request, HttpHeadersNonValidated all, string keyHeader)
    {
        if (all.TryGetValues("amz-sdk-request", out HeaderStringValues aws)) return MaxOf(aws.ToString()) > 1 ? Aws : null;
        if (all.Contains("Retry-Attempt")) return Learn(Kiota.Matches(all) ? Kiota : Any);
        if (all.Contains("grpc-previous-rpc-attempts")) return Any;
        if (Kiota.Matches(all)) return IsKnown(Kiota) ? Kiota : null;
        Library? library = ByNumber(all);
        if (library is not null && IsKnown(library)) return library;
        if (_failures.IsEmpty || NumberOf(request, all, library, keyHeader) is not { } number) return null;
        return _failures.Any(static (failed, now) => failed == now, number) ? Learn(library ?? Any) : null;
    }

    /// <summary>The library whose requests of one call have the same number.</summary>
    private static Library? ByNumber(HttpHeadersNonValidated all) => Azure.Matches(all) ? Azure : Stripe.Matches(all) ? Stripe : null;

    private static string? NumberOf(HttpRequestMessage request, HttpHeadersNonValidated all, Library? library, string keyHeader)
    {
        if (library is { IsNumber: true }) return all.TryGetValues(library.Header, out HeaderStringValues id) ? id.ToString() : null;
        if (!all.TryGetValues(keyHeader, out HeaderStringValues key)) return null;
        if (library is not null) return key.ToString();

        // One key may stand for several requests of one operation: to two services, say.
        return KeysOfOneCall.CallOf(request) is { } call ? $"{call}\n{key}" : null;
    }

    private bool IsKnown(Library library) => (Volatile.Read(ref _known) & library.Bit) != 0;

    /// <summary>Of what has no sign of its own nothing can be known of the next request.</summary>
    private Library Learn(Library library)
    {
        if (!ReferenceEquals(library, Any)) Interlocked.Or(ref _known, library.Bit);
        return library;
    }

    /// <summary>Of <c>attempt=1; max=3</c>, the larger number; 1 where none can be read.</summary>
    private static int MaxOf(string value)
    {
        int max = 1;
        foreach (Range part in value.AsSpan().Split(';'))
        {
            ReadOnlySpan<char> pair = value.AsSpan(part).Trim();
            int equals = pair.IndexOf('=');
            if (equals > 0 && pair[..equals].TrimEnd() is "attempt" or "max" && int.TryParse(pair[(equals + 1)..].Trim(), out int read))
                max = Math.Max(max, read);
        }

        return max;
    }

    /// <summary>A library that repeats, and how its requests are told from others.</summary>
    private sealed class Library(string name, string header, string text = "")
    {
        private static int _count;

        internal string Name => name;

        internal string Objection { get; } = $"{name} repeats it above this client";

        internal string Header => header;

        internal int Bit { get; } = 1 << _count++;

        /// <summary>Whether the header holds a number of the call, the same in all of its requests.</summary>
        internal bool IsNumber { get; init; }

        internal bool Matches(HttpHeadersNonValidated all) =>
            all.TryGetValues(header, out HeaderStringValues values)
            && (text.Length == 0 || values.ToString().Contains(text, StringComparison.OrdinalIgnoreCase));
    }
}

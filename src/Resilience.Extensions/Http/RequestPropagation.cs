using System.Globalization;
using Resilience.Overload;

namespace Resilience.Http;

/// <summary>What a server is told of the request that it gets: how long its caller waits, how much it matters, and which attempt it is.</summary>
internal static class RequestPropagation
{
    internal const string TimeoutHeader = "X-Request-Timeout-Ms", CriticalityHeader = "X-Request-Criticality", AttemptHeader = "X-Request-Attempt";

    /// <summary>Writes the headers, if the host is one that may know.</summary>
    internal static void Write(AttemptMessage message, ResilienceContext context, HttpResilienceOptions options)
    {
        if (message.RequestUri is not { IsAbsoluteUri: true } address || !IsOurs(address, options.PropagateTo)) return;
        if (context.RemainingTime is { } left) Add(message, TimeoutHeader, ((long)left.TotalMilliseconds).ToString(CultureInfo.InvariantCulture));

        // The default says nothing, and an attempt that is none of a repeat neither: what is not there costs nothing to send.
        if (context.Criticality != Criticality.Critical || RequestContext.Current is not null) Add(message, CriticalityHeader, NameOf(context.Criticality));
        if (AttemptOf(context) is > 0 and int attempt) Add(message, AttemptHeader, attempt.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Repeats at all layers: each is more work for the receiver.</summary>
    private static int AttemptOf(ResilienceContext context) =>
        (int)Math.Min((long)context.Attempt + (RequestContext.Current?.Attempt ?? 0), int.MaxValue);

    private static void Add(AttemptMessage message, string name, string value)
    {
        if (!message.Headers.NonValidated.Contains(name)) message.Headers.TryAddWithoutValidation(name, value);
    }

    /// <summary>By default a name without a dot, which no public name server knows, or loopback.</summary>
    private static bool IsOurs(Uri address, Func<Uri, bool>? users)
    {
        if (users is null) return address.IsLoopback || IsPlainName(address);
        try
        {
            return users(address);
        }
        catch (Exception error)
        {
            HttpTelemetry.CallbackFailed("http PropagateTo", error);
            return false;
        }
    }

    private static bool IsPlainName(Uri address) => address.HostNameType == UriHostNameType.Dns && !address.IdnHost.Contains('.', StringComparison.Ordinal);

    /// <summary>Whether a host is believed that says "do not retry".</summary>
    internal static bool IsHonored(Uri? address, Func<Uri, bool>? users)
    {
        if (users is null || address is not { IsAbsoluteUri: true }) return true;
        try
        {
            return users(address);
        }
        catch (Exception error)
        {
            HttpTelemetry.CallbackFailed("http HonorDoNotRetryFrom", error);
            return true;
        }
    }

    private static string NameOf(Criticality criticality) => criticality switch
    {
        Criticality.Sheddable => "sheddable",
        Criticality.SheddablePlus => "sheddable-plus",
        Criticality.Critical => "critical",
        _ => "critical-plus",
    };
}

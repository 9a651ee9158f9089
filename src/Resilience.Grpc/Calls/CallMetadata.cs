using System.Globalization;
using Grpc.Core;
using Resilience.Overload;

namespace Resilience.Grpc;

/// <summary>What a server is told of the call that it gets, beside its deadline: which attempt it is, and, if it is one of ours, how much it matters and how
/// often the requests above were repeated.</summary>
internal static class CallMetadata
{
    internal const string PreviousAttempts = "grpc-previous-rpc-attempts", Criticality = "x-request-criticality", Attempt = "x-request-attempt";

    /// <summary>The caller's metadata, which stays as it is, and what is told; null: there is nothing to tell.</summary>
    internal static Metadata? For(Metadata? headers, ResilienceContext context, GrpcClientOptions options, string host)
    {
        RequestContext? request = RequestContext.Current;
        bool isOurs = (request is not null || context.Criticality != Overload.Criticality.Critical) && IsOurs(host, options.PropagateTo);
        if (context.Attempt == 0 && !isOurs) return null;
        Metadata told = [];
        foreach (Metadata.Entry entry in headers ?? [])
        {
            if (entry.Key != PreviousAttempts || context.Attempt == 0) told.Add(entry);
        }

        if (context.Attempt > 0) told.Add(PreviousAttempts, Text(context.Attempt));
        if (!isOurs) return told;
        if (told.Get(Criticality) is null) told.Add(Criticality, NameOf(context.Criticality));
        if (request is { Attempt: > 0 } && told.Get(Attempt) is null) told.Add(Attempt, Text(Math.Min((long)request.Attempt + context.Attempt, int.MaxValue)));
        return told;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>By default a name without a dot, which no public name server knows, or loopback.</summary>
    private static bool IsOurs(string host, Func<string, bool>? users)
    {
        if (users is null)
            return Uri.TryCreate($"http://{host}", UriKind.Absolute, out Uri? address) && (address.IsLoopback || IsPlainName(address));
        try
        {
            return users(host);
        }
        catch (Exception error)
        {
            SafeCalls.Report("grpc PropagateTo", error);
            return false;
        }
    }

    private static bool IsPlainName(Uri address) => address.HostNameType == UriHostNameType.Dns && !address.IdnHost.Contains('.', StringComparison.Ordinal);

    private static string NameOf(Criticality criticality) => criticality switch
    {
        Overload.Criticality.Sheddable => "sheddable",
        Overload.Criticality.SheddablePlus => "sheddable-plus",
        Overload.Criticality.Critical => "critical",
        _ => "critical-plus",
    };
}

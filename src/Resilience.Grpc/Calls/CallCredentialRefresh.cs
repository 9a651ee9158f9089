using Grpc.Core;
using Resilience.Extensibility;
using Resilience.Http;

namespace Resilience.Grpc;

/// <summary>A call was rejected because of its credentials: whether it is sent once more within its attempt.</summary>
internal static class CallCredentialRefresh
{
    /// <summary>Whether new credentials may help. Where the server pushes back, it has said what is to be done.</summary>
    internal static bool MayHelp(RpcException rejected) =>
        rejected.StatusCode == StatusCode.Unauthenticated && rejected is not ICarriesRejection && Pushback.Of(rejected.Trailers) is null;

    /// <summary>Once for a call. A hedge runs beside the attempt that asked, and waits for the same answer.</summary>
    internal static bool IsDue(ref int hasRefreshed, GrpcResilience resilience) =>
        Interlocked.Exchange(ref hasRefreshed, 1) == 0 || resilience.IsHedged;

    /// <summary>Whether there are newer credentials than those that the attempt was sent with.</summary>
    internal static async ValueTask<bool> AskAsync(CredentialRefresh<IMethod> credentials, IMethod method, int generation, ResilienceContext context)
    {
        Task<bool> asking = credentials.RunAsync(method, generation, context.CancellationToken);
        if (!await context.WaitIfSynchronous(new ValueTask<bool>(asking)).ConfigureAwait(false)) return false;
        context.AllowRetry(); // what stood against it is about what has been answered
        return true;
    }
}

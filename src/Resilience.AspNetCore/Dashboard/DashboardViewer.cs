using System.Threading.Channels;
using Microsoft.AspNetCore.Http;

namespace Resilience;

/// <summary>A message of the stream, written once for all viewers.</summary>
/// <param name="Event">Its name.</param>
/// <param name="Data">Its text, one line.</param>
internal sealed record DashboardMessage(string Event, ReadOnlyMemory<byte> Data);

/// <summary>A viewer of the page. Messages wait here while the network is slow; who falls behind is told everything anew.</summary>
/// <param name="client">Whose view it is: one client has only so many.</param>
/// <param name="mayAct">Whether actions are shown.</param>
internal sealed class DashboardViewer(string client, bool mayAct)
{
    private const int MaxWaiting = 8;

    /// <summary>How long a viewer's network may take a message, before he is given up.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly Channel<DashboardMessage> _waiting = Channel.CreateBounded<DashboardMessage>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true, SingleWriter = true });

    internal bool MayAct => mayAct;

    internal string Client => client;

    /// <summary>True until he was told everything. Touched by the session only.</summary>
    internal bool NeedsAll { get; set; } = true;

    /// <summary>False when he is too slow.</summary>
    internal bool TryTell(DashboardMessage message) => _waiting.Writer.TryWrite(message);

    /// <summary>Writes what there is to tell until he leaves. Every message is a sign of life; they come at least every ten seconds.</summary>
    internal async Task WriteAsync(HttpResponse response, CancellationToken gone)
    {
        await foreach (DashboardMessage message in _waiting.Reader.ReadAllAsync(gone).ConfigureAwait(false))
        {
            using CancellationTokenSource slow = CancellationTokenSource.CreateLinkedTokenSource(gone);
            slow.CancelAfter(Patience);
            await WriteAsync(response, message, slow.Token).ConfigureAwait(false);
        }
    }

    private static async Task WriteAsync(HttpResponse response, DashboardMessage message, CancellationToken stop)
    {
        await response.WriteAsync($"event: {message.Event}\ndata: ", stop).ConfigureAwait(false);
        await response.Body.WriteAsync(message.Data, stop).ConfigureAwait(false);
        await response.WriteAsync("\n\n", stop).ConfigureAwait(false);
        await response.Body.FlushAsync(stop).ConfigureAwait(false);
    }
}

using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Resilience.Idempotency;

/// <summary>Stands in for the body of a response: keeps it back until its outcome is recorded, or lets it through when it is too large or meant
/// to be streamed.</summary>
/// <remarks>Belongs to one request and is used by one thread at a time, as the response is. Endpoints close the body of their response (a writer around it
/// does): that ends nothing, as it ends nothing without us.</remarks>
internal sealed class CapturedResponse(HttpContext context, IHttpResponseBodyFeature inner, int max) : ResponseBody
{
    private readonly MemoryStream _kept = new();
    private volatile bool _isPassing; // read by the callback that hears that the client has left

    internal override bool IsPassing => _isPassing;

    /// <summary>Then it goes through.</summary>
    internal override bool IsTooLarge => false;

    /// <summary>Called when the body begins to go through.</summary>
    internal Action? Passes { get; set; }

    internal override ReadOnlyMemory<byte> Body => _kept.GetBuffer().AsMemory(0, (int)_kept.Length);

    internal override async Task SendAsync()
    {
        if (_isPassing || _kept.Length == 0 || !MayFollow(context.Response.StatusCode)) return;
        await ToClientAsync(inner, Body).ConfigureAwait(false);
    }

    /// <summary>The endpoint streams: it wants its client to see each part at once.</summary>
    public override void DisableBuffering()
    {
        if (_isPassing || _kept.Length > 0) return;
        inner.DisableBuffering();
        Pass();
    }

    private void Pass()
    {
        _isPassing = true;
        Passes?.Invoke();
    }

    public override Task StartAsync(CancellationToken cancellationToken = default) => _isPassing ? inner.StartAsync(cancellationToken) : Task.CompletedTask;

    public override async Task CompleteAsync()
    {
        await EndAsync().ConfigureAwait(false);
        if (_isPassing) await inner.CompleteAsync().ConfigureAwait(false);
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!_isPassing && _kept.Length + buffer.Length <= max && !IsStream)
        {
            _kept.Write(buffer.Span);
            return;
        }

        if (!_isPassing)
        {
            Pass();
            await ToClientAsync(inner, Body).ConfigureAwait(false);
            _kept.SetLength(0);
        }

        await ToClientAsync(inner, buffer).ConfigureAwait(false);
    }

    private bool IsStream => context.Response.ContentType?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) == true;

    public override void Write(byte[] buffer, int offset, int count)
    {
        if (!_isPassing && _kept.Length + count <= max && !IsStream)
        {
            _kept.Write(buffer, offset, count);
            return;
        }

        // Whether one may write so is the server's rule, as it is without us.
        if (!_isPassing)
        {
            Pass();
            ToClient(Body.Span);
            _kept.SetLength(0);
        }

        ToClient(buffer.AsSpan(offset, count));
    }

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        if (!_isPassing) return;
        try
        {
            await inner.Stream.FlushAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // as in ToClientAsync
        }
    }

    private void ToClient(ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (bytes.Length > 0) inner.Stream.Write(bytes);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // as in ToClientAsync
        }
    }
}

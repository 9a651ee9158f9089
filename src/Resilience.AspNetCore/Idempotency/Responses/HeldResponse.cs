using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Resilience.Idempotency;

/// <summary>Stands in for the body of a response until its transaction is committed: no byte leaves before, also of one that is flushed or streamed.</summary>
/// <remarks>Belongs to one request and is used by one thread at a time, as the response is.</remarks>
internal sealed class HeldResponse(HttpContext context, IHttpResponseBodyFeature inner, HeldBytes held, int maxKept) : ResponseBody
{
    internal override bool IsPassing => false;

    internal override bool IsTooLarge => held.Length > maxKept;

    internal override ReadOnlyMemory<byte> Body => held.ToMemory();

    public override Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

    public override Task CompleteAsync() => EndAsync();

    public override void DisableBuffering()
    {
    }

    internal override async Task SendAsync()
    {
        if (held.Length == 0 || !MayFollow(context.Response.StatusCode)) return;
        await held.CopyToAsync(piece => ToClientAsync(inner, piece)).ConfigureAwait(false);
    }

    /// <summary>The endpoint runs again: what it has written is gone.</summary>
    internal void Clear()
    {
        held.Clear();
        ForgetWriter();
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        held.WriteAsync(buffer, cancellationToken);

    public override void Write(byte[] buffer, int offset, int count) => held.Write(buffer.AsSpan(offset, count));

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

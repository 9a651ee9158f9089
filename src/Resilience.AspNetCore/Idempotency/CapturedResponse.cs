using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Resilience.Idempotency;

/// <summary>Stands in for the body of a response: keeps it back until its outcome is recorded, or lets it through when it is too large or meant
/// to be streamed.</summary>
/// <remarks>Belongs to one request and is used by one thread at a time, as the response is. Endpoints close the body of their response (a writer around it
/// does): that ends nothing, as it ends nothing without us.</remarks>
internal sealed class CapturedResponse(HttpContext context, IHttpResponseBodyFeature inner, int max) : Stream, IHttpResponseBodyFeature
{
    private readonly MemoryStream _kept = new();
    private PipeWriter? _writer;
    private volatile bool _isPassing; // read by the callback that hears that the client has left

    /// <summary>True when the body goes through and is not kept.</summary>
    internal bool IsPassing => _isPassing;

    /// <summary>Called when the body begins to go through.</summary>
    internal Action? Passes { get; set; }

    internal ReadOnlyMemory<byte> Body => _kept.GetBuffer().AsMemory(0, (int)_kept.Length);

    public Stream Stream => this;

    public PipeWriter Writer => _writer ??= PipeWriter.Create(this, new StreamPipeWriterOptions(leaveOpen: true));

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>What the endpoint has written into the pipe and not flushed.</summary>
    internal async Task EndAsync()
    {
        if (_writer is not null) await _writer.FlushAsync().ConfigureAwait(false);
    }

    /// <summary>Sends what was kept back. A client that is gone is no error: the record is there when he comes again.</summary>
    internal async Task SendAsync()
    {
        if (_isPassing || _kept.Length == 0 || !IdempotencyProblems.MayHaveBody(context.Response.StatusCode)) return;
        await ToClientAsync(Body).ConfigureAwait(false);
    }

    /// <summary>The endpoint streams: it wants its client to see each part at once.</summary>
    public void DisableBuffering()
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

    public Task StartAsync(CancellationToken cancellationToken = default) => _isPassing ? inner.StartAsync(cancellationToken) : Task.CompletedTask;

    public async Task CompleteAsync()
    {
        await EndAsync().ConfigureAwait(false);
        if (_isPassing) await inner.CompleteAsync().ConfigureAwait(false);
    }

    public async Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        await EndAsync().ConfigureAwait(false);
        await SendFileFallback.SendFileAsync(this, path, offset, count, cancellationToken).ConfigureAwait(false);
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
            await ToClientAsync(Body).ConfigureAwait(false);
            _kept.SetLength(0);
        }

        await ToClientAsync(buffer).ConfigureAwait(false);
    }

    private bool IsStream => context.Response.ContentType?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) == true;

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

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

    public override void Flush()
    {
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

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

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

    private async ValueTask ToClientAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            if (bytes.Length > 0) await inner.Stream.WriteAsync(bytes, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has left. The operation goes on: it is for this that he has a key.
        }
    }
}

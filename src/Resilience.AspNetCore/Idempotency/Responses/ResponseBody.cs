using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Resilience.Idempotency;

/// <summary>Stands in for the body of a response until its outcome is recorded.</summary>
internal abstract class ResponseBody : Stream, IHttpResponseBodyFeature
{
    private PipeWriter? _writer;

    /// <summary>True when the body goes through and is not kept.</summary>
    internal abstract bool IsPassing { get; }

    /// <summary>True when the body is larger than may be kept.</summary>
    internal abstract bool IsTooLarge { get; }

    internal abstract ReadOnlyMemory<byte> Body { get; }

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

    /// <summary>Whether a response of this status may have a body.</summary>
    internal static bool MayFollow(int status) => status is not (204 or 205 or 304);

    /// <summary>What the endpoint has written into the pipe and not flushed.</summary>
    internal async Task EndAsync()
    {
        if (_writer is not null) await _writer.FlushAsync().ConfigureAwait(false);
    }

    /// <summary>Sends what was kept back. A client that is gone is no error: the record is there when he comes again.</summary>
    internal abstract Task SendAsync();

    public abstract void DisableBuffering();

    public abstract Task StartAsync(CancellationToken cancellationToken = default);

    public abstract Task CompleteAsync();

    public async Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        await EndAsync().ConfigureAwait(false);
        await SendFileFallback.SendFileAsync(this, path, offset, count, cancellationToken).ConfigureAwait(false);
    }

    public abstract override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>What stands in the pipe and was not flushed is dropped.</summary>
    private protected void ForgetWriter() => _writer = null;

    private protected static async ValueTask ToClientAsync(IHttpResponseBodyFeature client, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            if (bytes.Length > 0) await client.Stream.WriteAsync(bytes, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has left. The operation goes on: it is for this that he has a key.
        }
    }
}

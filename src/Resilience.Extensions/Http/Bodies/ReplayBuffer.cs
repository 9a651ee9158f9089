namespace Resilience.Http;

/// <summary>Stands before the stream to which a content is written, and keeps what passes, up to a bound. Nothing is held back or read
/// ahead: each write goes on as it comes.</summary>
internal sealed class ReplayBuffer : Stream
{
    private const int Smallest = 256;

    private readonly Stream _target;
    private readonly SourceBody _body;
    private readonly int _max;
    private byte[]? _bytes = []; // null once it was too much
    private int _count;
    private bool _hasFailed; // a write did, whatever the content made of it

    /// <param name="target">Where the bytes go.</param>
    /// <param name="body">Hears of them when the content has ended within the bound.</param>
    /// <param name="max">The bound, 1 or more.</param>
    internal ReplayBuffer(Stream target, SourceBody body, int max)
    {
        _target = target;
        _body = body;
        _max = max;
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => _target.CanWrite;

    public override bool CanTimeout => _target.CanTimeout;

    public override int WriteTimeout
    {
        get => _target.WriteTimeout;
        set => _target.WriteTimeout = value;
    }

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The content has ended.</summary>
    /// <param name="wasStopped">Whether it had been told to stop.</param>
    internal void Complete(bool wasStopped)
    {
        if (_bytes is { } all) _body.Keep(all.AsMemory(0, _count), wasStopped, _hasFailed);
        _bytes = null; // what is written after the end is not kept
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Take(buffer);
        try
        {
            _target.Write(buffer);
        }
        catch
        {
            _hasFailed = true;
            throw;
        }
    }

    public override void WriteByte(byte value) => Write([value]);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Take(buffer.Span);
        ValueTask writing;
        try
        {
            writing = _target.WriteAsync(buffer, cancellationToken);
        }
        catch
        {
            _hasFailed = true;
            throw;
        }

        return writing.IsCompletedSuccessfully ? writing : WatchAsync(writing);
    }

    public override IAsyncResult BeginWrite(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(WriteAsync(buffer, offset, count, CancellationToken.None), callback, state);

    public override void EndWrite(IAsyncResult asyncResult) => TaskToAsyncResult.End(asyncResult);

    public override void Flush() => _target.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => _target.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        await _target.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _target.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask WatchAsync(ValueTask writing)
    {
        try
        {
            await writing.ConfigureAwait(false);
        }
        catch
        {
            _hasFailed = true;
            throw;
        }
    }

    private void Take(ReadOnlySpan<byte> part)
    {
        if (_bytes is not { } bytes) return;
        if (part.Length > _max - _count)
        {
            _bytes = null;
            return;
        }

        if (part.Length > bytes.Length - _count)
        {
            long room = Math.Max(Math.Max(Smallest, _count + (long)part.Length), 2L * bytes.Length);
            Array.Resize(ref bytes, (int)Math.Min(Math.Min(room, _max), Array.MaxLength));
            _bytes = bytes;
        }

        part.CopyTo(bytes.AsSpan(_count));
        _count += part.Length;
    }
}

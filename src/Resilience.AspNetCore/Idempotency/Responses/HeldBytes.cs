namespace Resilience.Idempotency;

/// <summary>Bytes that are held back: the first in memory, the rest in a temporary file, which is gone when it is closed. Used by one thread at a
/// time.</summary>
internal sealed class HeldBytes(int maxInMemory) : IDisposable
{
    private const int Piece = 64 << 10;

    private readonly MemoryStream _memory = new();
    private FileStream? _file;

    internal long Length => _memory.Length + (_file?.Length ?? 0);

    public void Dispose() => _file?.Dispose();

    internal void Write(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> rest = WriteToMemory(bytes);
        if (rest.Length > 0) File().Write(rest);
    }

    internal async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        int written = bytes.Length - WriteToMemory(bytes.Span).Length;
        if (written < bytes.Length) await File().WriteAsync(bytes[written..], cancellationToken).ConfigureAwait(false);
    }

    /// <summary>All of them; for as few as may be kept.</summary>
    internal ReadOnlyMemory<byte> ToMemory()
    {
        if (_file is null) return _memory.GetBuffer().AsMemory(0, (int)_memory.Length);
        byte[] whole = new byte[Length];
        _memory.GetBuffer().AsSpan(0, (int)_memory.Length).CopyTo(whole);
        _file.Position = 0;
        _file.ReadExactly(whole.AsSpan((int)_memory.Length));
        return whole;
    }

    internal async ValueTask CopyToAsync(Func<ReadOnlyMemory<byte>, ValueTask> write)
    {
        if (_memory.Length > 0) await write(_memory.GetBuffer().AsMemory(0, (int)_memory.Length)).ConfigureAwait(false);
        if (_file is null) return;
        _file.Position = 0;
        byte[] piece = new byte[Piece];
        int read;
        while ((read = await _file.ReadAsync(piece, CancellationToken.None).ConfigureAwait(false)) > 0)
            await write(piece.AsMemory(0, read)).ConfigureAwait(false);
    }

    internal void Clear()
    {
        _memory.SetLength(0);
        _file?.Dispose();
        _file = null;
    }

    /// <summary>What memory takes is written, and the rest comes back. Once there is a file, everything goes there.</summary>
    private ReadOnlySpan<byte> WriteToMemory(ReadOnlySpan<byte> bytes)
    {
        if (_file is not null) return bytes;
        int room = (int)Math.Min(bytes.Length, maxInMemory - _memory.Length);
        _memory.Write(bytes[..room]);
        return bytes[room..];
    }

    private FileStream File() => _file ??= new(
        Path.Combine(Path.GetTempPath(), $"resilience-{Guid.NewGuid():N}.tmp"),
        new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            Options = FileOptions.Asynchronous | FileOptions.DeleteOnClose | FileOptions.SequentialScan,
        });
}

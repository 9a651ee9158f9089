namespace Resilience.Http;

/// <summary>A stream that a <see cref="StreamContent"/> can send again, from where it is sent first.</summary>
internal sealed class RewindableStream
{
    private readonly Stream _stream;
    private readonly long _start;
    private readonly long _length;

    private RewindableStream(Stream stream, long start, long length)
    {
        _stream = stream;
        _start = start;
        _length = length;
    }

    /// <summary>True while its owner has neither disposed of it nor made it longer or shorter.</summary>
    internal bool IsUnchanged
    {
        get
        {
            try
            {
                return _stream.CanSeek && _stream.Length == _length;
            }
            catch (Exception)
            {
                return false; // a stream of another's: whatever it throws, it cannot be relied on
            }
        }
    }

    /// <summary>The stream of the content; null if it cannot be sent again. Nothing is read.</summary>
    internal static RewindableStream? Of(HttpContent content)
    {
        try
        {
            Stream view = content.ReadAsStream();
            if (!view.CanSeek) return null;

            // The content sends from where the stream is, and again from where it was when the content was made; from there on it
            // computes its length. So it must be there, or at its end, as it is after a sending.
            long length = view.Length, at = view.Position, start = length - (content.Headers.ContentLength ?? -1);
            return start >= 0 && start <= length && (at == start || at == length) ? new(view, start, length) : null;
        }
        catch (Exception)
        {
            return null; // the sending will say what is wrong with it
        }
    }

    /// <exception cref="InvalidOperationException">Its owner has changed it or disposed of it.</exception>
    internal void Rewind()
    {
        if (!IsUnchanged) throw new InvalidOperationException("The stream of the content was changed or disposed of after the request had begun.");
        if (_stream.Position != _start) _stream.Position = _start;
    }
}

using System.Net;

namespace Resilience.Http;

/// <summary>The body of a response after its headers: reads fail when the server is silent for too long, reading it into memory as a whole ends with
/// the time of the call, and the places of limits are given back at its end.</summary>
internal sealed class IdleReadContent : HttpContent
{
    /// <summary>What <see cref="HttpClient"/> reads whole bodies into is a stream of its own.</summary>
    private static readonly System.Reflection.Assembly HttpAssembly = typeof(HttpContent).Assembly;

    private readonly HttpContent _original;
    private readonly BodyBounds _bounds;

    internal IdleReadContent(HttpContent original, BodyBounds bounds)
    {
        _original = original;
        _bounds = bounds;
        foreach ((string name, System.Net.Http.Headers.HeaderStringValues values) in original.Headers.NonValidated)
        {
            foreach (string value in values) Headers.TryAddWithoutValidation(name, value);
        }
    }

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await using IdleReadStream body = new(await _original.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false), _bounds);
        await body.CopyWholeAsync(stream, 81920, cancellationToken).ConfigureAwait(false);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        SerializeToStreamAsync(stream, context, cancellationToken).GetAwaiter().GetResult();

    protected override async Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) =>
        new IdleReadStream(await _original.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false), _bounds);

    protected override Task<Stream> CreateContentReadStreamAsync() => CreateContentReadStreamAsync(CancellationToken.None);

    protected override Stream CreateContentReadStream(CancellationToken cancellationToken) =>
        new IdleReadStream(_original.ReadAsStream(cancellationToken), _bounds);

    protected override bool TryComputeLength(out long length)
    {
        long? known = _original.Headers.ContentLength;
        length = known ?? 0;
        return known is not null;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _original.Dispose();
            _bounds.Hold?.Dispose();
        }

        base.Dispose(disposing);
    }

    internal sealed class IdleReadStream(Stream body, BodyBounds bounds) : Stream
    {
        private CancellationToken _whole; // of reading into memory as a whole
        private bool _isWhole;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        /// <summary>Into a buffer of the client's own: the whole body, within the time of the call, and in its place.</summary>
        internal async Task CopyWholeAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
        {
            TimeSpan? left = bounds.Left;
            using CancellationTokenSource end = left is { } time ? new(time, bounds.Time) : new();
            (_isWhole, _whole) = (true, end.Token);
            try
            {
                await base.CopyToAsync(destination, bufferSize, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                (_isWhole, _whole) = (false, default);
                bounds.Hold?.Dispose();
            }
        }

        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
        {
            ArgumentNullException.ThrowIfNull(destination);
            return destination.GetType().Assembly == HttpAssembly
                ? CopyWholeAsync(destination, bufferSize, cancellationToken)
                : base.CopyToAsync(destination, bufferSize, cancellationToken);
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (!_isWhole && !bounds.HoldsForStreams) bounds.Hold?.Dispose();
            return PeekAsync(buffer, cancellationToken);
        }

        /// <summary>Reads for a rule that looks at the beginning: how the caller will read is not known yet, so the places stay taken until then.</summary>
        internal async ValueTask<int> PeekAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            if (_isWhole && _whole.IsCancellationRequested) throw Ended(null);
            TimeSpan? max = bounds.Idle, left = !_isWhole && bounds.EndsStreams ? bounds.Left : null;
            bool isEnd = left is not null && (max is null || left <= max);
            if (isEnd) max = left;
            if (max == TimeSpan.Zero) throw Ended(null);
            using CancellationTokenSource? silence = max is { } time ? new(time, bounds.Time) : null;
            using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(silence?.Token ?? default, _whole, cancellationToken);
            int read;
            try
            {
                read = await body.ReadAsync(buffer, either.Token).ConfigureAwait(false);
            }
            catch (Exception cut)
            {
                bounds.Hold?.Dispose();
                if (cancellationToken.IsCancellationRequested) throw;
                if (_whole.IsCancellationRequested) throw Ended(cut);
                if (silence is { IsCancellationRequested: true }) throw isEnd ? Ended(cut) : BrokenOff("read-idle-timeout", bounds.Idle!.Value, cut);
                throw;
            }

            if (read == 0 && buffer.Length > 0) bounds.Hold?.Dispose();
            return read;
        }

        private IOException Ended(Exception? cut) => BrokenOff(bounds.NameOfEnd, bounds.End, cut);

        private static IOException BrokenOff(string policy, TimeSpan time, Exception? cut)
        {
            TimedOutException timedOut = new(policy, time, cut);
            return new($"The response broke off: {timedOut.Message}", timedOut);
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        /// <summary>A read that blocks cannot be told to stop, so it is made of one that can.</summary>
        public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                body.Dispose();
                bounds.Hold?.Dispose();
            }

            base.Dispose(disposing);
        }

        public override async ValueTask DisposeAsync()
        {
            await body.DisposeAsync().ConfigureAwait(false);
            bounds.Hold?.Dispose();
            await base.DisposeAsync().ConfigureAwait(false);
        }
    }
}

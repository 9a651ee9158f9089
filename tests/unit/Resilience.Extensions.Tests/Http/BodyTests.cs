using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http;

/// <summary>Bodies: of answers that break off or fall silent, and of requests whose sending outlives the attempt.</summary>
public sealed class BodyTests
{
    private readonly FakeTimeProvider _time = new();

    private static HttpResponseMessage Answer(Func<CancellationToken, Task<byte[]?>> next) =>
        new(HttpStatusCode.OK) { Content = new StreamContent(new Told(next)) };

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 1)]
    public async Task A_body_that_breaks_off_is_retried_when_answers_are_buffered(bool buffers, int attempts)
    {
        ScriptedHandler network = new((n, _) =>
        {
            int reads = 0;
            return Answer(_ => reads++ == 0 ? Task.FromResult<byte[]?>("abc"u8.ToArray()) : n == 0
                ? throw new IOException("cut") : Task.FromResult<byte[]?>(null));
        });
        HttpClient client = HttpKit.Client(HttpKit.Standard(_time, o => o.BufferResponses = buffers), network);
        if (buffers) (await client.GetStringAsync(HttpKit.Address)).Should().Be("abc");
        else await client.Invoking(c => c.GetStringAsync(HttpKit.Address)).Should().ThrowAsync<HttpRequestException>();
        network.Count.Should().Be(attempts);
    }

    [Fact]
    public async Task A_body_that_is_too_large_to_buffer_ends_the_call_and_is_not_retried()
    {
        ScriptedHandler network = new((_, _) => new TrackedResponse(HttpStatusCode.OK, new('x', 100)));
        HttpClient client = HttpKit.Client(HttpKit.Standard(_time, o => (o.BufferResponses, o.MaxBufferedResponseBytes) = (true, 99)), network);
        (await client.Invoking(c => c.GetAsync(HttpKit.Address)).Should().ThrowAsync<HttpRequestException>())
            .Which.HttpRequestError.Should().Be(HttpRequestError.ConfigurationLimitExceeded);
        network.Count.Should().Be(1);
        network.Responses.Cast<TrackedResponse>().Single().IsDisposed.Should().BeTrue();
        using HttpResponseMessage own = await client.SendAsync(HttpKit.Request(HttpMethod.Get).WithResilience(o => o.BufferResponse = false));
        (await own.Content.ReadAsStringAsync()).Should().HaveLength(100);
    }

    [Fact]
    public async Task The_attempt_timeout_does_not_cut_a_body_that_streams()
    {
        TaskCompletionSource<byte[]?> second = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int reads = 0;
        ScriptedHandler network = new((_, _) => Answer(token => reads++ switch
        {
            0 => Task.FromResult<byte[]?>("data: 1\n\n"u8.ToArray()),
            1 => second.Task.WaitAsync(token),
            _ => Task.FromResult<byte[]?>(null),
        }));
        HttpClient client = HttpKit.Client(HttpKit.Standard(_time), network);
        using HttpResponseMessage response = await client.GetAsync(HttpKit.Address, HttpCompletionOption.ResponseHeadersRead);
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        (await reader.ReadLineAsync()).Should().Be("data: 1");
        _time.Advance(TimeSpan.FromHours(3));
        second.SetResult("data: 2\n"u8.ToArray());
        (await reader.ReadLineAsync()).Should().BeEmpty();
        (await reader.ReadLineAsync()).Should().Be("data: 2");
    }

    [Fact]
    public async Task A_body_that_falls_silent_is_cut_by_the_idle_limit_and_one_that_talks_is_not()
    {
        TaskCompletionSource<byte[]?>[] parts = [.. Enumerable.Range(0, 3)
            .Select(_ => new TaskCompletionSource<byte[]?>(TaskCreationOptions.RunContinuationsAsynchronously))];
        int reads = 0;
        ScriptedHandler network = new((_, _) => Answer(token => parts[reads++].Task.WaitAsync(token)));
        HttpClient client = HttpKit.Client(HttpKit.Standard(_time, o => o.ReadIdleTimeout = TimeSpan.FromSeconds(10)), network);
        using HttpResponseMessage response = await client.GetAsync(HttpKit.Address, HttpCompletionOption.ResponseHeadersRead);
        using Stream body = await response.Content.ReadAsStreamAsync();
        byte[] buffer = new byte[1];
        for (int i = 0; i < 2; i++)
        {
            ValueTask<int> reading = body.ReadAsync(buffer);
            _time.Advance(TimeSpan.FromSeconds(9));
            reading.IsCompleted.Should().BeFalse();
            parts[i].SetResult([1]);
            (await reading).Should().Be(1);
            _time.Advance(TimeSpan.FromMinutes(1)); // no read is under way: no time is measured
        }

        Task<int> last = body.ReadAsync(buffer).AsTask();
        _time.Advance(TimeSpan.FromSeconds(10));
        (await FluentActions.Awaiting(() => last.WaitAsync(TimeSpan.FromSeconds(30))).Should().ThrowAsync<IOException>())
            .Which.InnerException.Should().BeOfType<TimedOutException>().Which.Timeout.Should().Be(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task The_next_attempt_begins_only_when_the_former_no_longer_reads_the_content()
    {
        TaskCompletionSource reads = new(TaskCreationOptions.RunContinuationsAsynchronously), letGo = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int reading = 0, max = 0, sent = 0;
        Pushed content = new(async stream =>
        {
            max = Math.Max(max, Interlocked.Increment(ref reading));
            if (Interlocked.Increment(ref sent) == 1)
            {
                reads.SetResult();
                await letGo.Task;
            }

            await stream.WriteAsync("abc"u8.ToArray());
            Interlocked.Decrement(ref reading);
        });
        int attempt = 0;
        LeavingHandler network = new(async request =>
        {
            Task sending = request.Content!.CopyToAsync(new MemoryStream());
            if (Interlocked.Increment(ref attempt) == 1)
            {
                await reads.Task;
                throw new HttpRequestException(HttpRequestError.ResponseEnded); // and leaves its own sending behind
            }

            await sending;
            return new(HttpStatusCode.OK);
        });
        HttpClient client = HttpKit.Client(HttpKit.Standard(TimeProvider.System), network);
        Task<HttpResponseMessage> running = client.SendAsync(HttpKit.Request(HttpMethod.Put, content).WithResilience(o => o.ReplayContent = true));
        await reads.Task.WaitAsync(TimeSpan.FromSeconds(30));
        attempt.Should().Be(1);
        letGo.SetResult();
        (await running.WaitAsync(TimeSpan.FromSeconds(30))).StatusCode.Should().Be(HttpStatusCode.OK);
        (max, sent, attempt).Should().Be((1, 2, 2));
    }

    [Fact]
    public async Task An_answer_that_comes_before_the_body_is_sent_leaves_the_sending_alone_whatever_later_timeouts_do()
    {
        TaskCompletionSource goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        CancellationToken seen = default;
        Pushed content = new(async (stream, token) =>
        {
            seen = token;
            await goOn.Task;
            token.ThrowIfCancellationRequested();
            await stream.WriteAsync("late"u8.ToArray(), token);
        });
        Task? sending = null;
        MemoryStream received = new();
        TaskCompletionSource hangs = new();
        LeavingHandler network = new(async (request, token) =>
        {
            if (request.Content is null)
            {
                hangs.TrySetResult();
                await Task.Delay(Timeout.Infinite, token);
            }

            sending = request.Content!.CopyToAsync(received, token);
            return new(HttpStatusCode.OK);
        });
        HttpClient client = HttpKit.Client(HttpKit.Standard(_time, o => o.Retry = null), network);
        await client.SendAsync(HttpKit.Request(HttpMethod.Put, content));

        // The timeout's source now serves this call, and fires.
        Task<HttpResponseMessage> other = client.GetAsync(HttpKit.Address);
        await hangs.Task.WaitAsync(TimeSpan.FromSeconds(30));
        _time.Advance(TimeSpan.FromSeconds(7));
        await FluentActions.Awaiting(() => other.WaitAsync(TimeSpan.FromSeconds(30))).Should().ThrowAsync<HttpResilienceException>();
        seen.IsCancellationRequested.Should().BeFalse();
        goOn.SetResult();
        await sending!.WaitAsync(TimeSpan.FromSeconds(30));
        received.ToArray().Should().Equal("late"u8.ToArray());
    }

    [Fact]
    public async Task Repeated_attempts_say_so_on_their_spans_and_the_operation_has_one_around_them()
    {
        using ActivitySource network = new("System.Net.Http");
        List<Activity> spans = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = s => s.Name is "System.Net.Http" or ResilienceTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (spans) spans.Add(span);
            },
        };
        ActivitySource.AddActivityListener(listener);
        ScriptedHandler inner = new((n, _) =>
        {
            using Activity? span = network.StartActivity("GET");
            return new TrackedResponse(n < 2 ? HttpStatusCode.BadGateway : HttpStatusCode.OK);
        });
        using Activity root = new Activity("test").Start();
        await HttpKit.Client(HttpKit.Standard(_time), inner).GetAsync(HttpKit.Address);
        Activity[] mine;
        lock (spans) mine = [.. spans.Where(s => s.TraceId == root.TraceId)];
        Activity[] requests = [.. mine.Where(s => s.Source.Name == "System.Net.Http")],
            attempts = [.. mine.Where(s => s.OperationName == ResilienceTelemetry.AttemptSpanName)];
        requests.Select(s => s.GetTagItem("http.request.resend_count")).Should().Equal(null, 1, 2);
        attempts.Select(s => s.GetTagItem("resilience.attempt")).Should().Equal(0, 1, 2);
        Activity operation = mine[^1];
        operation.Source.Name.Should().Be("Resilience");
        operation.GetTagItem("server.address").Should().Be("api.example.test");
        operation.GetTagItem("error.type").Should().BeNull("the retry succeeded");
        operation.Status.Should().Be(ActivityStatusCode.Unset);
        attempts.Should().OnlyContain(s => s.ParentSpanId == operation.SpanId);
        requests.Select(s => s.ParentSpanId).Should().Equal(attempts.Select(s => s.SpanId));
    }

    private sealed class LeavingHandler(Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> answer) : HttpMessageHandler
    {
        internal LeavingHandler(Func<HttpRequestMessage, Task<HttpResponseMessage>> answer)
            : this((request, _) => answer(request))
        {
        }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            answer(request, cancellationToken);
    }

    private sealed class Pushed(Func<Stream, CancellationToken, Task> push) : HttpContent
    {
        internal Pushed(Func<Stream, Task> push)
            : this((stream, _) => push(stream))
        {
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => push(stream, default);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
            push(stream, cancellationToken);

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    /// <summary>A body whose parts come when the test says.</summary>
    private sealed class Told(Func<CancellationToken, Task<byte[]?>> next) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            byte[]? part = await next(cancellationToken);
            part?.CopyTo(buffer);
            return part?.Length ?? 0;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}

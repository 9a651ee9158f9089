using System.Net.Http.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Wire;

/// <summary>A real server that sends a byte now and then and never ends. The time is the test's; each byte is read before the next is sent.</summary>
public sealed class BodyBoundsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Total = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(10);
    private const int Steps = 60;

    private readonly FakeTimeProvider _time = new();

    /// <summary>How a method of the client reads, and whether a bare client bounds that.</summary>
    private static readonly Dictionary<string, (Func<HttpClient, Task> Read, bool IsBounded)> Ways = new()
    {
        ["GetStringAsync"] = (c => c.GetStringAsync("/"), true),
        ["GetByteArrayAsync"] = (c => c.GetByteArrayAsync("/"), true),
        ["GetAsync"] = (c => c.GetAsync("/"), true),
        ["PutAsJsonAsync"] = (c => c.PutAsJsonAsync("/", new[] { 1 }), true),
        ["GetFromJsonAsync"] = (c => c.GetFromJsonAsync<int[]>("/"), true),
        ["DeleteFromJsonAsync"] = (c => c.DeleteFromJsonAsync<int[]>("/"), true),
        ["GetStreamAsync"] = (async c => await DrainAsync(await c.GetStreamAsync("/")), false),
        ["ResponseHeadersRead"] = (
            async c => await DrainAsync(await (await c.GetAsync("/", HttpCompletionOption.ResponseHeadersRead)).Content.ReadAsStreamAsync()), false),
    };

    public static TheoryData<string> Methods => [.. Ways.Keys];

    private static async Task DrainAsync(Stream body)
    {
        await using (body) await body.CopyToAsync(Stream.Null);
    }

    private static async Task TrickleAsync(HttpContext context, string type, SemaphoreSlim bytes)
    {
        context.Response.ContentType = type;
        await context.Response.WriteAsync("[");
        try
        {
            while (true)
            {
                await context.Response.Body.FlushAsync(context.RequestAborted);
                await bytes.WaitAsync(context.RequestAborted);
                await context.Response.WriteAsync(" ", context.RequestAborted);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or IOException)
        {
        }
    }

    /// <summary>Trickles for ten minutes of the test's time; what the reading ended with, null while it goes on.</summary>
    private async Task<(Exception? Error, TimeSpan After)> TrickledAsync(string way, string type, Action<StandardResilienceOptions> configure)
    {
        using SemaphoreSlim bytes = new(0);
        using Reads reads = new();
        await using WireServer server = await WireServer.StartAsync((_, context) => TrickleAsync(context, type, bytes));
        ServiceCollection services = new();
        services.AddSingleton<TimeProvider>(_time);
        services.AddHttpClient("long", c => c.BaseAddress = server.Address).AddStandardResilience(o =>
        {
            (o.TotalTimeout, o.AttemptTimeout, o.Retry) = (Total, null, null);
            configure(o);
        }).AddHttpMessageHandler(() => reads);
        await using ServiceProvider provider = services.BuildServiceProvider();
        using HttpClient client = provider.GetRequiredService<IHttpClientFactory>().CreateClient("long");
        DateTimeOffset began = _time.GetUtcNow();
        Task reading = Ways[way].Read(client);
        await reads.BeginAsync(reading);
        for (int i = 0; i < Steps && !reading.IsCompleted; i++)
        {
            await reads.BeginAsync(reading); // the former byte has been read, and the next is waited for
            _time.Advance(Step);
            bytes.Release();
        }

        Exception? error = reading.IsCompleted ? await Record.ExceptionAsync(() => reading) : null;
        return (error, _time.GetUtcNow() - began);
    }

    /// <summary>Between the pipeline and the network: tells when a read of a body begins.</summary>
    private sealed class Reads : DelegatingHandler
    {
        private readonly SemaphoreSlim _begun = new(0);

        /// <summary>Ends when one more read has begun, or when the reading as a whole has ended.</summary>
        internal async Task BeginAsync(Task reading) => await Task.WhenAny(reading, _begun.WaitAsync()).WaitAsync(Patience);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
            StreamContent seen = new(new Seen(await response.Content.ReadAsStreamAsync(cancellationToken), _begun));
            seen.Headers.ContentType = response.Content.Headers.ContentType;
            response.Content = seen;
            return response;
        }

        private sealed class Seen(Stream body, SemaphoreSlim begun) : Stream
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

            public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
            {
                ValueTask<int> read = body.ReadAsync(buffer, cancellationToken);
                begun.Release();
                return read;
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

            protected override void Dispose(bool disposing)
            {
                if (disposing) body.Dispose();
                base.Dispose(disposing);
            }
        }
    }

    private static bool IsTimedOut(Exception? error)
    {
        for (; error is not null; error = error.InnerException)
        {
            if (error is TimedOutException) return true;
        }

        return false;
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task Whatever_a_bare_client_bounds_is_bounded_where_its_timeout_was_lifted(string way)
    {
        string type = Ways[way].IsBounded ? "application/json; charset=utf-8" : "application/octet-stream";
        (Exception? error, _) = await TrickledAsync(way, type, _ => { });
        if (Ways[way].IsBounded) IsTimedOut(error).Should().BeTrue("{0} ends with the total: {1}", way, error);
        else IsTimedOut(error).Should().BeFalse("a download may take as long as it talks");
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task A_body_timeout_bounds_every_way_to_read_a_body_that_keeps_talking(string way)
    {
        (Exception? error, TimeSpan after) = await TrickledAsync(way, "text/plain", o => o.BodyTimeout = TimeSpan.FromMinutes(5));
        IsTimedOut(error).Should().BeTrue("{0}: {1}", way, error);
        after.Should().BeGreaterThanOrEqualTo(TimeSpan.FromMinutes(5), "the bound that was set takes the place of the total");
    }
}

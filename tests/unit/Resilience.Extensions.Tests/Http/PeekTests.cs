using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http;

/// <summary>Rules that read the beginning of a body, which the caller reads all the same.</summary>
public sealed class PeekTests
{
    private readonly FakeTimeProvider _time = new();

    /// <summary>A body that comes in pieces and cannot be rewound.</summary>
    private sealed class Pieces(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(size, buffer.Length)]);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken) =>
            destination.WriteAsync(this.ToArrayRest(), cancellationToken).AsTask();

        private byte[] ToArrayRest()
        {
            byte[] rest = new byte[Length - Position];
            int count = 0;
            while (base.Read(rest.AsSpan(count)) is > 0 and var read) count += read;
            return rest;
        }
    }

    private static HttpContent Content(string kind, byte[] bytes) => kind switch
    {
        "memory" => new ByteArrayContent(bytes),
        "seekable" => new StreamContent(new MemoryStream(bytes)),
        "pieces" => new StreamContent(new Pieces(bytes, 3)),
        _ => new StreamContent(new Pieces(bytes, 1_000_000)),
    };

    public static TheoryData<string, int> Kinds
    {
        get
        {
            TheoryData<string, int> all = [];
            foreach (string kind in new[] { "memory", "seekable", "pieces", "whole" })
            {
                foreach (int max in new[] { 1, 5, 26, 27, 4096 }) all.Add(kind, max);
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_was_read_is_put_back_however_the_caller_reads(string kind, int max)
    {
        byte[] bytes = Encoding.UTF8.GetBytes("abcdefghijklmnopqrstuvwxyz");
        foreach (string reading in new[] { "string", "stream", "copy", "synchronous stream", "buffer" })
        {
            using HttpResponseMessage response = new(HttpStatusCode.OK) { Content = Content(kind, bytes) };
            response.Content.Headers.Add("X-Kept", "yes");
            (await response.PeekAsync(2)).Should().Be("ab"[..2]);
            (await response.PeekAsync(max)).Should().Be(Encoding.UTF8.GetString(bytes)[..Math.Min(max, bytes.Length)]);
            (await response.PeekAsync(1)).Should().Be("a");
            (await ReadAsync(response.Content, reading)).Should().Equal(bytes, "of {0}, read as {1}", kind, reading);
            response.Content.Headers.GetValues("X-Kept").Should().Equal("yes");
        }
    }

    private static async Task<byte[]> ReadAsync(HttpContent content, string reading)
    {
        MemoryStream read = new();
        switch (reading)
        {
            case "string":
                return Encoding.UTF8.GetBytes(await content.ReadAsStringAsync());
            case "copy":
                await content.CopyToAsync(read);
                return read.ToArray();
            case "buffer":
                await content.LoadIntoBufferAsync();
                return await content.ReadAsByteArrayAsync();
            case "synchronous stream":
                content.ReadAsStream().CopyTo(read);
                return read.ToArray();
            default:
                await (await content.ReadAsStreamAsync()).CopyToAsync(read);
                return read.ToArray();
        }
    }

    [Theory]
    [InlineData("utf-8", "größer", 3, "gr")] // half of a character
    [InlineData("utf-8", "größer", 4, "grö")]
    [InlineData("\"utf-8\"", "ab", 9, "ab")]
    [InlineData("iso-8859-1", "größer", 3, "grö")]
    [InlineData("no-such-charset", "ab", 9, "ab")]
    [InlineData(null, "ab", 9, "ab")]
    public async Task It_is_read_by_its_charset(string? charset, string text, int max, string begin)
    {
        Encoding encoding = charset == "iso-8859-1" ? Encoding.Latin1 : Encoding.UTF8;
        using HttpResponseMessage response = new() { Content = new StreamContent(new Pieces(encoding.GetBytes(text), 1)) };
        if (charset is not null) response.Content.Headers.TryAddWithoutValidation("Content-Type", $"text/plain; charset={charset}");
        (await response.PeekAsync(max)).Should().Be(begin);
    }

    [Fact]
    public async Task There_may_be_no_body()
    {
        using HttpResponseMessage response = new(HttpStatusCode.NoContent);
        (await response.PeekAsync(10)).Should().BeEmpty();
        await FluentActions.Awaiting(() => response.PeekAsync(0).AsTask()).Should().ThrowAsync<ArgumentOutOfRangeException>();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_200_whose_body_says_busy_is_repeated_and_the_caller_reads_the_other_one_whole(bool isSynchronous)
    {
        using ScriptedHandler network = new((n, _) => new HttpResponseMessage(HttpStatusCode.OK)
        {
            Content = new StreamContent(new Pieces(Encoding.UTF8.GetBytes(n == 0 ? "{\"error\":\"busy\"}" : "{\"answer\":42}"), 4)),
        });
        HttpResilience resilience = HttpKit.Standard(_time, o => o.Classify = rules => rules.OnResultAsync<HttpResponseMessage>(async (response, context) =>
            response.StatusCode == HttpStatusCode.OK && (await response.PeekAsync(4096, context.CancellationToken))
                .Contains("\"error\":\"busy\"", StringComparison.Ordinal)
                ? Classification.Throttled()
                : null));
        using HttpClient client = HttpKit.Client(resilience, network);
        using HttpRequestMessage request = new(HttpMethod.Get, HttpKit.Address);
        using HttpResponseMessage response = isSynchronous ? client.Send(request) : await client.SendAsync(request);
        (await response.Content.ReadAsStringAsync()).Should().Be("{\"answer\":42}");
        network.Count.Should().Be(2);
        resilience.For(HttpKit.Address).Pipeline.Find<CircuitBreaker>()!.TakeSnapshot().Failures.Should().Be(0);
    }

    /// <summary>A rule that looks at the beginning of a body does not begin to read it: how the caller reads is not known yet.</summary>
    [Theory]
    [InlineData(1, "stream", false)] // what is peeked at, how the rest is read, whether streams keep their places
    [InlineData(1, "stream", true)]
    [InlineData(1, "whole", false)]
    [InlineData(1, "dispose", false)]
    [InlineData(100, "peeked to the end", false)]
    public async Task A_place_of_a_limit_stays_taken_until_the_caller_reads_on(int max, string way, bool holds)
    {
        using ScriptedHandler network = new((_, _) => new HttpResponseMessage(HttpStatusCode.OK)
        {
            Content = new StreamContent(new Pieces("abc"u8.ToArray(), 1)),
        });
        HttpResilience resilience = HttpKit.Standard(_time, o =>
        {
            o.ConcurrencyLimit = new() { MaxConcurrent = 1 };
            o.HoldPlaceForStreams = holds;
            o.Classify = rules => rules.OnResultAsync<HttpResponseMessage>(async (response, context) =>
                await response.PeekAsync(max, context.CancellationToken) == "" ? Verdict.Failure : null);
        });
        using HttpClient client = HttpKit.Client(resilience, network);
        using HttpResponseMessage response = await client.GetAsync(HttpKit.Address, HttpCompletionOption.ResponseHeadersRead);
        ConcurrencyLimit limit = resilience.For(HttpKit.Address).ConcurrencyLimit!;
        limit.Running.Should().Be(max > 3 ? 0 : 1, "a body that has come to its end needs no place");
        switch (way)
        {
            case "whole":
                await response.Content.LoadIntoBufferAsync();
                break;
            case "dispose":
                response.Dispose();
                break;
            case "stream":
                Stream stream = await response.Content.ReadAsStreamAsync();
                await stream.ReadExactlyAsync(new byte[2]);
                limit.Running.Should().Be(holds ? 1 : 0);
                await stream.ReadExactlyAsync(new byte[1]);
                (await stream.ReadAsync(new byte[1])).Should().Be(0);
                break;
        }

        limit.Running.Should().Be(0);
        network.Count.Should().Be(1);
    }

    /// <summary>A peeked response that is repeated gives its place back before the next attempt asks for one.</summary>
    [Fact]
    public async Task A_place_is_given_back_with_a_response_that_is_repeated()
    {
        using ScriptedHandler network = new((n, _) => new HttpResponseMessage(HttpStatusCode.OK)
        {
            Content = new StreamContent(new Pieces(Encoding.UTF8.GetBytes(n == 0 ? "busy now" : "fine now"), 1)),
        });
        HttpResilience resilience = HttpKit.Standard(_time, o =>
        {
            o.ConcurrencyLimit = new() { MaxConcurrent = 1 };
            o.Classify = rules => rules.OnResultAsync<HttpResponseMessage>(async (response, context) =>
                await response.PeekAsync(4, context.CancellationToken) == "busy" ? Classification.Throttled() : null);
        });
        using HttpClient client = HttpKit.Client(resilience, network);
        (await client.GetStringAsync(HttpKit.Address)).Should().Be("fine now");
        network.Count.Should().Be(2);
        resilience.For(HttpKit.Address).ConcurrencyLimit!.Running.Should().Be(0);
    }
}

using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Wire;

/// <summary>All attempts that reached a real server carry equal bytes, or there was one attempt: over random contents of all kinds, nested
/// in each other, read by inner handlers, chunked or with a length, and first answers of all kinds.</summary>
public sealed class EqualBytesTests
{
    private const int Bound = 2000; // of what is kept; small, so that both sides of it are seen
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public enum First
    {
        Status503,
        Abort,
        Timeout,
        Hedge,
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Random_contents_reach_the_server_with_equal_bytes_or_once(int seed)
    {
        await using Lab lab = await Lab.StartAsync(SendRules.Default);
        (List<string> found, int repeated) = await ViolationsAsync(lab, seed, 300);
        found.Should().BeEmpty();
        repeated.Should().BeGreaterThan(100, "a check that sees no repetition sees nothing");
    }

    [Theory]
    [InlineData("JSON is in memory")]
    [InlineData("what derives from a type in memory is in memory")]
    [InlineData("a multipart is what its first part is")]
    [InlineData("a stream can be sent again from its beginning")]
    public async Task A_planted_belief_is_found(string belief)
    {
        await using Lab lab = await Lab.StartAsync(new Credulous(belief));
        (List<string> found, _) = await ViolationsAsync(lab, 1, 3000, stopAtFirst: true);
        found.Should().NotBeEmpty("{0}", belief);
    }

    private static async Task<(List<string> Found, int Repeated)> ViolationsAsync(Lab lab, int seed, int count, bool stopAtFirst = false)
    {
        List<string> found = [];
        int repeated = 0;
        for (int i = 0; i < count; i++)
        {
            Random random = new((seed * 10_000) + i);
            First first = (First)random.Next(4);
            Reader reader = (Reader)random.Next(Enum.GetValues<Reader>().Length);
            bool? isChunked = random.Next(3) switch { 0 => true, 1 => false, _ => null };
            int how = random.Next(4); // PUT, PUT, a POST with a key, one without
            (HttpContent content, string name) = Contents.Make(random);
            using HttpRequestMessage request = new(how < 2 ? HttpMethod.Put : HttpMethod.Post, lab.Address) { Content = content };
            if (how == 2) request.Headers.Add("Idempotency-Key", $"k{i}");
            if (isChunked is { } chunked) request.Headers.TransferEncodingChunked = chunked;

            string[] bodies = await lab.BodiesOfAsync(request, first, reader);
            string story = $"seed {seed}.{i}: {request.Method}, {name}, {first}, {reader}, chunked {isChunked}: {string.Join(" | ", bodies.Select(Short))}";
            if (bodies.Distinct().Count() > 1) found.Add(story);
            if (how == 3 && bodies.Length > 1) found.Add($"without a key: {story}");
            if (bodies.Length > 1) repeated++;
            if (stopAtFirst && found.Count > 0) break;
        }

        return (found, repeated);
    }

    private static string Short(string body) => body.Length < 40 ? body : $"{body[..30]}... ({body.Length}, {body.GetHashCode(StringComparison.Ordinal):x})";

    /// <summary>What an inner handler does with the content before it passes the message on.</summary>
    public enum Reader
    {
        None,
        ReadsAsString,
        Buffers,
        Hashes,
        Compresses,
        Disposes,
        AddsHeaders,
    }

    [Fact]
    public async Task A_sequence_from_a_channel_is_sent_again_whole_or_not_at_all()
    {
        await using Lab lab = await Lab.StartAsync(SendRules.Default);
        foreach (int items in (int[])[3, 3000])
        {
            Channel<int> channel = Channel.CreateUnbounded<int>();
            for (int i = 0; i < items; i++) channel.Writer.TryWrite(i);
            channel.Writer.Complete();
            using HttpRequestMessage request = new(HttpMethod.Put, lab.Address) { Content = JsonContent.Create(channel.Reader.ReadAllAsync()) };
            string[] bodies = await lab.BodiesOfAsync(request, First.Status503, Reader.None);
            bodies.Should().HaveCount(items == 3 ? 2 : 1).And.OnlyContain(b => b == $"[{string.Join(',', Enumerable.Range(0, items))}]");
        }
    }

    [Theory]
    [InlineData(5, 2)]
    [InlineData(Bound + 1, 1)]
    public async Task A_one_way_stream_is_kept_by_the_synchronous_send_too(int length, int attempts)
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n == 0 ? 503 : 200));
        using HttpClient client = HttpKit.Client(HttpKit.Standard(new FakeTimeProvider(), o => o.ReplayBufferBytes = Bound), new SocketsHttpHandler());
        using HttpRequestMessage request = new(HttpMethod.Put, server.Address) { Content = new StreamContent(new OneWayStream(new byte[length])) };
        using HttpResponseMessage response = await Task.Run(() => client.Send(request)).WaitAsync(Patience);
        server.Requests.Should().HaveCount(attempts).And.OnlyContain(r => r.Body.Length == length);
    }

    [Fact]
    public async Task A_lazy_sequence_of_which_the_items_are_used_up_is_sent_again_whole()
    {
        await using Lab lab = await Lab.StartAsync(SendRules.Default);
        ConcurrentQueue<int> source = new([1, 2, 3]);
        using HttpRequestMessage request = new(HttpMethod.Put, lab.Address) { Content = JsonContent.Create(Take(source)) };
        (await lab.BodiesOfAsync(request, First.Status503, Reader.None)).Should().Equal("[1,2,3]", "[1,2,3]");

        static IEnumerable<int> Take(ConcurrentQueue<int> source)
        {
            while (source.TryDequeue(out int item)) yield return item;
        }
    }

    /// <summary>JSON that is written by code of others: values of a node, converters and modifiers in the options, a handler of references.</summary>
    [Theory]
    [InlineData("a value in a node")]
    [InlineData("a converter in the options")]
    [InlineData("a modifier of the type")]
    [InlineData("a resolver of one's own")]
    [InlineData("a contract that was changed by hand")]
    [InlineData("a contract with a callback")]
    [InlineData("a contract made by hand")]
    [InlineData("a context of one's own")]
    [InlineData("a queue that gives its items away")]
    [InlineData("a set that gives its items away")]
    public async Task JSON_that_others_write_is_sent_again_as_it_was(string how)
    {
        await using Lab lab = await Lab.StartAsync(SendRules.Default);
        int written = 0;
        DefaultJsonTypeInfoResolver modified = new() { Modifiers = { Counting } };
        IJsonTypeInfoResolver combined = JsonTypeInfoResolver.Combine(modified, new DefaultJsonTypeInfoResolver());
        using HttpRequestMessage request = new(HttpMethod.Put, lab.Address)
        {
            Content = how switch
            {
                "a value in a node" => JsonContent.Create(new JsonObject { ["x"] = JsonValue.Create(Count()) }),
                "a converter in the options" => JsonContent.Create(new OneNumber(), options: new() { Converters = { new CountingConverter() } }),
                "a contract that was changed by hand" => JsonContent.Create(new OneNumber(), Contract<OneNumber>(Counting)),
                "a contract with a callback" => JsonContent.Create(
                    new Mutable(), Contract<Mutable>(static type => type.OnSerializing = static o => ((Mutable)o).Number++)),
                "a contract made by hand" => JsonContent.Create(new OneNumber(), Made()),
                "a context of one's own" => JsonContent.Create(new OneNumber(), options: new() { TypeInfoResolver = new OwnContext(Counting) }),
                "a queue that gives its items away" => JsonContent.Create(new { Items = (Queue<int>)new DrainedQueue([1, 2]) }),
                "a set that gives its items away" => JsonContent.Create(new { Items = (HashSet<int>)new DrainedSet([1, 2]) }),
                "a modifier of the type" => JsonContent.Create(new OneNumber(), options: new() { TypeInfoResolver = modified }),
                _ => JsonContent.Create(new OneNumber(), options: new() { TypeInfoResolver = combined }),
            },
        };
        string[] bodies = await lab.BodiesOfAsync(request, First.Status503, Reader.None);
        bodies.Should().HaveCount(2);
        bodies.Distinct().Should().ContainSingle();

        static JsonTypeInfo<T> Contract<T>(Action<JsonTypeInfo> change)
        {
            JsonTypeInfo<T> type = (JsonTypeInfo<T>)new DefaultJsonTypeInfoResolver().GetTypeInfo(
                typeof(T), new JsonSerializerOptions { TypeInfoResolver = new DefaultJsonTypeInfoResolver() })!;
            change(type);
            return type;
        }

        JsonTypeInfo<OneNumber> Made()
        {
            JsonTypeInfo<OneNumber> type = JsonTypeInfo.CreateJsonTypeInfo<OneNumber>(new() { TypeInfoResolver = new DefaultJsonTypeInfoResolver() });
            JsonPropertyInfo number = type.CreateJsonPropertyInfo(typeof(int), "n");
            number.Get = _ => written++;
            type.Properties.Add(number);
            return type;
        }

        void Counting(JsonTypeInfo type)
        {
            foreach (JsonPropertyInfo one in type.Properties) one.Get = _ => written++;
        }

        IEnumerable<int> Count()
        {
            yield return written++;
        }
    }

    /// <summary>The common contents stay in memory: it is sent again whatever its size.</summary>
    [Theory]
    [InlineData("the defaults")]
    [InlineData("names of enums")]
    public async Task Plain_JSON_is_sent_again_whatever_its_size(string how)
    {
        await using Lab lab = await Lab.StartAsync(SendRules.Default);
        JsonSerializerOptions? options = how == "the defaults" ? null : new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };
        JsonContent large = JsonContent.Create(Enumerable.Range(0, Bound).ToList(), options: options);
        using HttpRequestMessage request = new(HttpMethod.Put, lab.Address) { Content = large };
        (await lab.BodiesOfAsync(request, First.Status503, Reader.None)).Should().HaveCount(2);
    }

    private sealed class OneNumber
    {
        public int Number { get; init; } = 5;
    }

    private sealed class Mutable
    {
        public int Number { get; set; }
    }

    /// <summary>Looks like one that was generated.</summary>
    private sealed class OwnContext(Action<JsonTypeInfo> change) : JsonSerializerContext(null), IJsonTypeInfoResolver
    {
        protected override JsonSerializerOptions? GeneratedSerializerOptions => null;

        public override JsonTypeInfo? GetTypeInfo(Type type) => throw new NotSupportedException();

        JsonTypeInfo? IJsonTypeInfoResolver.GetTypeInfo(Type type, JsonSerializerOptions options)
        {
            JsonTypeInfo found = new DefaultJsonTypeInfoResolver().GetTypeInfo(type, options);
            if (type == typeof(OneNumber)) change(found);
            return found;
        }
    }

    private sealed class DrainedQueue(IEnumerable<int> items) : Queue<int>(items), IEnumerable<int>
    {
        IEnumerator<int> IEnumerable<int>.GetEnumerator()
        {
            while (TryDequeue(out int item)) yield return item;
        }
    }

    private sealed class DrainedSet(IEnumerable<int> items) : HashSet<int>(items), IEnumerable<int>
    {
        IEnumerator<int> IEnumerable<int>.GetEnumerator()
        {
            int[] all = new int[Count];
            CopyTo(all);
            Clear();
            return ((IEnumerable<int>)all).GetEnumerator();
        }
    }

    private sealed class CountingConverter : JsonConverter<OneNumber>
    {
        private int _written;

        public override OneNumber Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, OneNumber value, JsonSerializerOptions options) => writer.WriteNumberValue(_written++);
    }

    [Theory]
    [InlineData(First.Status503)]
    [InlineData(First.Abort)]
    [InlineData(First.Timeout)]
    [InlineData(First.Hedge)]
    public async Task A_small_content_of_an_unknown_class_is_repeated_with_equal_bytes(First first)
    {
        await using Lab lab = await Lab.StartAsync(SendRules.Default);
        foreach (long? length in (long?[])[null, 5])
        {
            int sent = 0;
            using HttpRequestMessage request = new(HttpMethod.Post, lab.Address)
            {
                Content = new Pushed(length, async (stream, token) => await stream.WriteAsync(Encoding.ASCII.GetBytes($"pay-{sent++}"), token)),
            };
            request.Headers.Add("Idempotency-Key", "k1");
            (await lab.BodiesOfAsync(request, first, Reader.None)).Should().Equal("pay-0", "pay-0");
        }
    }

    [Theory]
    [InlineData(Bound, null, 2)]
    [InlineData(Bound + 1, null, 1)]
    [InlineData(100, 99, 1)]
    [InlineData(100, 100, 2)]
    [InlineData(10, 0, 1)]
    [InlineData(3 * Bound, 3 * Bound, 2)]
    [InlineData(10, int.MaxValue, 2)]
    public async Task What_is_kept_is_bounded_by_the_client_or_by_the_request(int length, int? max, int attempts)
    {
        await using Lab lab = await Lab.StartAsync(SendRules.Default);
        using HttpRequestMessage request = new(HttpMethod.Put, lab.Address)
        {
            Content = new Pushed(null, async (stream, token) =>
            {
                for (int i = 0; i < length; i++) await stream.WriteAsync("x"u8.ToArray(), token);
            }),
        };
        if (max is not null) request.WithResilience(o => o.ReplayBufferBytes = max);
        (await lab.BodiesOfAsync(request, First.Status503, Reader.None)).Should().HaveCount(attempts).And.OnlyContain(b => b.Length == length);
    }

    [Fact]
    public async Task What_is_kept_is_sent_as_it_comes_and_nothing_is_read_ahead()
    {
        TaskCompletionSource hasFirst = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int requests = 0;
        await using WireServer server = await WireServer.StartAsync(
            async (_, c) =>
            {
                byte[] one = new byte[1];
                _ = await c.Request.Body.ReadAsync(one);
                hasFirst.TrySetResult();
                using StreamReader rest = new(c.Request.Body);
                (await rest.ReadToEndAsync()).Should().Be("b");
                c.Response.StatusCode = Interlocked.Increment(ref requests) == 1 ? 503 : 200;
            },
            readsBodies: false);
        Pushed live = new(null, async (stream, token) =>
        {
            await stream.WriteAsync("a"u8.ToArray(), token);
            await stream.FlushAsync(token);
            await hasFirst.Task.WaitAsync(Patience, token);
            await stream.WriteAsync("b"u8.ToArray(), token);
        });
        using HttpClient client = HttpKit.Client(HttpKit.Standard(new FakeTimeProvider()), new SocketsHttpHandler());
        using HttpResponseMessage response = await client.PutAsync(server.Address, live).WaitAsync(Patience);
        (response.StatusCode, server.Count).Should().Be((HttpStatusCode.OK, 2));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_content_that_ends_politely_in_the_middle_is_not_taken_for_whole(bool plants)
    {
        FakeTimeProvider time = new();
        TaskCompletionSource isParked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, 200));
        int sendings = 0;
        Pushed polite = new(null, async (stream, token) =>
        {
            sendings++;
            await stream.WriteAsync("the first half, "u8.ToArray(), token);
            isParked.TrySetResult();
            await Task.Delay(Timeout.Infinite, token).ContinueWith(_ => { }, TaskScheduler.Default);
        });
        SendRules rules = plants ? new Credulous("what was stopped is whole") : SendRules.Default;
        using HttpClient client = new(new ResilienceHttpHandler(HttpKit.Standard(time), new SocketsHttpHandler()) { Rules = rules });
        Task<HttpResponseMessage> sending = client.PutAsync(server.Address, polite);
        await isParked.Task.WaitAsync(Patience);
        time.Advance(TimeSpan.FromSeconds(7));
        if (plants)
        {
            using HttpResponseMessage response = await sending.WaitAsync(Patience);
            Encoding.ASCII.GetString(server.Requests.Single().Body).Should().Be("the first half, ", "the planted belief sends half of it");
        }
        else
        {
            await FluentActions.Awaiting(() => sending.WaitAsync(Patience)).Should().ThrowAsync<HttpResilienceException>();
            (server.Count, sendings).Should().Be((0, 1));
        }
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(true, false)]
    public async Task A_content_that_swallows_a_failed_write_is_not_taken_for_whole(bool isSynchronous, bool fails)
    {
        Pushed swallowing = new(null, async (stream, token) =>
        {
            try
            {
                if (isSynchronous) stream.Write("one"u8);
                else await stream.WriteAsync("one"u8.ToArray(), token);
                await stream.WriteAsync("two"u8.ToArray(), token);
            }
            catch (IOException)
            {
                // and leaves out the rest
            }
        });
        int attempts = 0;
        using HttpMessageInvoker client = new(new ResilienceHttpHandler(HttpKit.Standard(new FakeTimeProvider()), new Sending(async content =>
        {
            attempts++;
            await content.CopyToAsync(fails ? new Failing() : new MemoryStream());
            return new(HttpStatusCode.ServiceUnavailable);
        })));
        using HttpResponseMessage response = await client.SendAsync(HttpKit.Request(HttpMethod.Put, swallowing), default);
        attempts.Should().Be(fails ? 1 : 4);
    }

    [Theory]
    [InlineData(HttpStatusCode.ServiceUnavailable, 4)]
    public async Task A_content_that_its_owner_has_loaded_is_sent_again_whatever_its_class_and_size(HttpStatusCode status, int attempts)
    {
        int sendings = 0;
        Pushed[] parts =
        [
            .. Enumerable.Range(0, 2).Select(_ => new Pushed(null, async (stream, token) =>
            {
                sendings++;
                await stream.WriteAsync(new byte[10 * Bound], token);
            })),
        ];
        await parts[0].LoadIntoBufferAsync();
        await parts[1].LoadIntoBufferAsync();
        foreach (HttpContent content in (HttpContent[])[parts[0], new MultipartContent("mixed", "b") { parts[1] }])
        {
            ScriptedHandler network = new(status);
            using HttpClient client = HttpKit.Client(HttpKit.Standard(new FakeTimeProvider()), network);
            await client.SendAsync(HttpKit.Request(HttpMethod.Put, content));
            network.Requests.Should().HaveCount(attempts).And.OnlyContain(r => r.Body!.Length >= 10 * Bound);
        }

        sendings.Should().Be(2);
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(16 * 1024 * 1024)]
    public async Task Reading_ahead_takes_memory_as_the_bytes_come(int max)
    {
        ScriptedHandler network = new(HttpStatusCode.ServiceUnavailable);
        using HttpClient client = HttpKit.Client(
            HttpKit.Standard(new FakeTimeProvider(), o => (o.BufferRequestBytes, o.ReplayBufferBytes) = (max, 0)), network);
        await client.SendAsync(HttpKit.Request(HttpMethod.Put, new StreamContent(new OneWayStream("warm"u8.ToArray()))));
        long least = long.MaxValue;
        for (int i = 0; i < 100 && least >= 1 << 20; i++) // other tests run beside: a measurement is at least what the request needs
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            await client.SendAsync(HttpKit.Request(HttpMethod.Put, new StreamContent(new OneWayStream("hello"u8.ToArray()))));
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        least.Should().BeLessThan(1 << 20);
        network.Requests.Should().OnlyContain(r => r.Body == "warm" || r.Body == "hello");
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(4095)]
    [InlineData(10_000)]
    public async Task Reading_ahead_loses_no_byte_on_either_side_of_the_bound(int max)
    {
        foreach (int length in (int[])[max - 1, max, max + 1, 3 * max])
        {
            ScriptedHandler network = new(HttpStatusCode.ServiceUnavailable);
            using HttpClient client = HttpKit.Client(
                HttpKit.Standard(new FakeTimeProvider(), o => (o.BufferRequestBytes, o.ReplayBufferBytes) = (max, 0)), network);
            string text = new([.. Enumerable.Range(0, length).Select(i => (char)('a' + (i % 26)))]);
            await client.SendAsync(HttpKit.Request(HttpMethod.Put, new StreamContent(new OneWayStream(Encoding.ASCII.GetBytes(text)))));
            network.Requests.Should().HaveCount(length <= max ? 4 : 1).And.OnlyContain(r => r.Body == text);
        }
    }

    [Fact]
    public async Task A_large_stream_is_sent_again_from_where_it_began_and_not_at_all_if_its_owner_has_changed_it()
    {
        foreach (string what in (string[])["nothing", "moved", "longer", "disposed"])
        {
            MemoryStream stream = new();
            stream.Write(new byte[4 * Bound]);
            stream.Position = 100;
            ScriptedHandler network = new((n, _) =>
            {
                if (what == "moved") stream.Position = 50;
                if (what == "longer") stream.SetLength(5 * Bound);
                if (what == "disposed") stream.Dispose();
                return new(n == 0 ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK);
            });
            using HttpClient client = HttpKit.Client(HttpKit.Standard(new FakeTimeProvider(), o => o.ReplayBufferBytes = Bound), network);
            await client.SendAsync(HttpKit.Request(HttpMethod.Put, new StreamContent(stream)));
            network.Requests.Should().HaveCount(what is "nothing" or "moved" ? 2 : 1).And.OnlyContain(r => r.Body!.Length == (4 * Bound) - 100);
        }
    }

    [Fact]
    public async Task Headers_of_the_content_that_an_inner_handler_adds_do_not_reach_the_next_attempt()
    {
        List<string> seen = [];
        using HttpMessageInvoker client = new(new ResilienceHttpHandler(HttpKit.Standard(new FakeTimeProvider()), new Sending(async content =>
        {
            seen.Add(string.Join(';', content.Headers.Select(h => $"{h.Key}={string.Join(',', h.Value)}")));
            content.Headers.Add("X-Inner", "1");
            content.Headers.ContentEncoding.Add("br");
            await content.CopyToAsync(new MemoryStream());
            return new(HttpStatusCode.ServiceUnavailable);
        })));
        Pushed content = new(null, async (stream, token) => await stream.WriteAsync("x"u8.ToArray(), token));
        content.Headers.Add("X-Mine", "2");
        await client.SendAsync(HttpKit.Request(HttpMethod.Put, content), default);
        seen.Should().HaveCount(4).And.OnlyContain(h => h == "X-Mine=2");
    }

    [Theory]
    [MemberData(nameof(Values))]
    public void Json_is_taken_for_plain_only_if_nothing_in_it_is_computed(string name, object value, bool isPlain) =>
        PlainData.IsPlain((JsonContent)JsonContent.Create(value, value.GetType())).Should().Be(isPlain, name);

    public static TheoryData<string, object, bool> Values => new()
    {
        { "text", "x", true },
        { "number", 1, true },
        { "array", new[] { 1 }, true },
        { "list of records", new List<Plain> { new(1, "x") }, true },
        { "dictionary", new Dictionary<string, int?> { ["a"] = 1 }, true },
        { "record", new Plain(1, "x"), true },
        { "anonymous", new { Id = 1, Names = new List<string>() }, true },
        { "a type that contains itself", new Tree { Children = [new()] }, true },
        { "query", Enumerable.Range(0, 3).Where(i => i > 0), false },
        { "record with a sequence", new WithSequence(1, [2]), false },
        { "list of records with a sequence", new List<WithSequence> { new(1, [2]) }, false },
        { "property with code", new WithCode(), false },
        { "property of any type", new WithObject { Any = 1 }, false },
        { "converter", new WithConverter { At = default }, false },
        { "property that may be overridden", new Overridable(), false },
        { "delegate of a serializer's callback", new WithCallback(), false },
    };

    public sealed record Plain(int Id, string Name);

    public sealed record WithSequence(int Id, IEnumerable<int> Items);

    public sealed class Tree
    {
        public List<Tree>? Children { get; set; }
    }

    public sealed class WithCode
    {
        public Guid Id => Guid.NewGuid();
    }

    public sealed class WithObject
    {
        public object? Any { get; set; }
    }

    public sealed class WithConverter
    {
        [System.Text.Json.Serialization.JsonConverter(typeof(System.Text.Json.Serialization.JsonStringEnumConverter))]
        public DayOfWeek At { get; set; }
    }

    public class Overridable
    {
        public virtual int Id { get; set; }
    }

    public sealed class WithCallback : System.Text.Json.Serialization.IJsonOnSerializing
    {
        public int Id { get; set; }

        public void OnSerializing() => Id++;
    }

    /// <summary>A server that does to the first request of each call what it is told, and two clients over one network.</summary>
    private sealed class Lab : IAsyncDisposable
    {
        private readonly FakeTimeProvider _time = new();
        private readonly SocketsHttpHandler _sockets = new() { UseProxy = false };
        private readonly HttpMessageInvoker _retried;
        private readonly HttpMessageInvoker _hedged;
        private readonly Inner _inner;
        private WireServer _server = null!;
        private Call _call = null!;
        private int _calls;

        private Lab(SendRules rules)
        {
            _inner = new(_sockets);
            HttpResilience retried = HttpKit.Standard(
                _time, o => (o.CircuitBreaker, o.ReplayBufferBytes, o.Retry!.Budget) = (null, Bound, RetryBudget.Unlimited));
            HttpResilience hedged = HttpResilience.Custom(
                b =>
                {
                    b.TimeProvider = _time;
                    b.OnEvent(e =>
                    {
                        if (e is HedgeSkipped) _call.Skipped.TrySetResult();
                    });
                    b.AddHedging(o => (o.Delay, o.Budget) = (TimeSpan.FromSeconds(1), RetryBudget.Unlimited));
                },
                new() { ReplayBufferBytes = Bound });
            _retried = new(new ResilienceHttpHandler(retried, _inner) { Rules = rules });
            _hedged = new(new ResilienceHttpHandler(hedged, _inner) { Rules = rules });
        }

        internal Uri Address => _server.Address;

        internal static async Task<Lab> StartAsync(SendRules rules)
        {
            Lab lab = new(rules);
            lab._server = await WireServer.StartAsync((_, c) => lab.AnswerAsync(c));
            return lab;
        }

        /// <summary>The bodies that reached the server whole.</summary>
        internal async Task<string[]> BodiesOfAsync(HttpRequestMessage request, First first, Reader reader)
        {
            Call call = _call = new(first);
            _inner.Reader = reader;
            request.Headers.Add("X-Call", (++_calls).ToString(CultureInfo.InvariantCulture));
            int before = _server.Count;
            Task<HttpResponseMessage> sending = (first == First.Hedge ? _hedged : _retried).SendAsync(request, default);
            if (first is First.Timeout or First.Hedge)
            {
                await Task.WhenAny(call.Arrived.Task, sending).WaitAsync(Patience);
                _time.Advance(TimeSpan.FromSeconds(first == First.Hedge ? 1 : 7));
                if (first == First.Hedge) await Task.WhenAny(call.Second.Task, call.Skipped.Task, sending).WaitAsync(Patience);
            }

            call.Release.TrySetResult();
            try
            {
                using HttpResponseMessage response = await sending.WaitAsync(Patience);
            }
            catch (Exception error) when (error is HttpRequestException or InvalidOperationException or IOException or OperationCanceledException)
            {
                // What reached the server counts.
            }

            await _server.WhenIdleAsync();
            string mine = request.Headers.GetValues("X-Call").Single();
            return [.. _server.Requests.Skip(before).Where(r => r.Headers["X-Call"] == mine).Select(r => Encoding.Latin1.GetString(Unpack(r.Body, reader)))];
        }

        /// <summary>What the compressor writes depends on the sizes of the writes that it gets; what it was given is equal or not.</summary>
        private static byte[] Unpack(byte[] body, Reader reader)
        {
            if (reader != Reader.Compresses) return body;
            using MemoryStream unpacked = new();
            using (GZipStream gzip = new(new MemoryStream(body), CompressionMode.Decompress)) gzip.CopyTo(unpacked);
            return unpacked.ToArray();
        }

        public async ValueTask DisposeAsync()
        {
            _retried.Dispose();
            _hedged.Dispose();
            await _server.DisposeAsync();
        }

        private async Task AnswerAsync(HttpContext context)
        {
            Call call = _call;
            if (Interlocked.Increment(ref call.Requests) > 1)
            {
                call.Second.TrySetResult();
                return;
            }

            call.Arrived.TrySetResult();
            switch (call.First)
            {
                case First.Status503:
                    context.Response.StatusCode = 503;
                    break;
                case First.Abort:
                    context.Abort();
                    break;
                case First.Timeout:
                    await WireServer.StallAsync(context);
                    break;
                default:
                    await call.Release.Task.WaitAsync(Patience);
                    break;
            }
        }

        private sealed class Call(First first)
        {
            internal int Requests;

            internal First First => first;

            internal TaskCompletionSource Arrived { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

            internal TaskCompletionSource Second { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

            internal TaskCompletionSource Skipped { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

            internal TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        private sealed class Inner(HttpMessageHandler network) : DelegatingHandler(network)
        {
            internal Reader Reader { get; set; }

            protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                HttpContent content = request.Content!;
                switch (Reader)
                {
                    case Reader.ReadsAsString:
                        _ = await content.ReadAsStringAsync(cancellationToken);
                        break;
                    case Reader.Buffers:
                        await content.LoadIntoBufferAsync(cancellationToken);
                        break;
                    case Reader.Hashes:
                        await content.CopyToAsync(Stream.Null, cancellationToken);
                        break;
                    case Reader.Compresses:
                        MemoryStream compressed = new();
                        await using (GZipStream gzip = new(compressed, CompressionLevel.Fastest, leaveOpen: true))
                            await content.CopyToAsync(gzip, cancellationToken);
                        request.Content = new ByteArrayContent(compressed.ToArray());
                        break;
                    case Reader.AddsHeaders:
                        content.Headers.Add("X-Inner", "1");
                        break;
                }

                HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
                if (Reader == Reader.Disposes) content.Dispose();
                return response;
            }
        }
    }

    /// <summary>Contents at random: eager and lazy, small and large, nested.</summary>
    private static class Contents
    {
        private static int _counter; // what is computed is never the same twice

        internal static (HttpContent Content, string Name) Make(Random random, int depth = 0)
        {
            int size = random.Next(4) switch { 0 => 0, 1 => random.Next(1, 200), 2 => random.Next(200, 2 * Bound), _ => random.Next(2 * Bound, 50_000) };
            byte[] bytes = new byte[size];
            random.NextBytes(bytes);
            int kind = random.Next(depth > 1 ? 20 : 24);
            string name = $"{kind} of {size}";
            return kind switch
            {
                0 => (new ByteArrayContent(bytes), $"bytes {name}"),
                1 => (new StringContent(Convert.ToBase64String(bytes)), $"text {name}"),
                2 => (new ReadOnlyMemoryContent(bytes), $"memory {name}"),
                3 => (new FormUrlEncodedContent([new("a", Convert.ToBase64String(bytes))]), $"form {name}"),
                4 => (new Named(Convert.ToBase64String(bytes)), $"derived {name}"),
                5 => (new Computed(), $"derived and computed {name}"),
                6 => (JsonContent.Create(Enumerable.Range(0, size / 10).Select(i => new Plain(i, "x")).ToList()), $"list {name}"),
                7 => (JsonContent.Create(Lazy(size / 10)), $"sequence {name}"),
                8 => (JsonContent.Create(LazyAsync(size / 10)), $"async sequence {name}"),
                9 => (JsonContent.Create(new WithSequence(1, Lazy(size / 10))), $"record with a sequence {name}"),
                10 => (JsonContent.Create(new WithCode()), $"record with code {name}"),
                11 => (JsonContent.Create<object>(Lazy(3)), $"sequence declared as object {name}"),
                12 => (new StreamContent(new MemoryStream(bytes)), $"stream {name}"),
                13 => (new StreamContent(At(bytes, size / 2)), $"stream from its middle {name}"),
                14 => (new StreamContent(new OneWayStream(bytes)), $"one-way stream {name}"),
                15 => (Moved(bytes), $"stream that was moved {name}"),
                16 => (new Pushed(null, Push(bytes)), $"pushed {name}"),
                17 => (new Pushed(size + 4, Push(bytes)), $"pushed with length {name}"),
                18 => (Loaded(bytes), $"loaded {name}"),
                19 => (new NamedStream(new MemoryStream(bytes)), $"derived stream {name}"),
                _ => Parts(random, depth),
            };
        }

        private static (HttpContent Content, string Name) Parts(Random random, int depth)
        {
            MultipartContent parts = random.Next(2) == 0 ? new MultipartContent("mixed", "frontier") : new MultipartFormDataContent("frontier");
            List<string> names = [];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                (HttpContent part, string name) = Make(random, depth + 1);
                parts.Add(part);
                names.Add(name);
            }

            return (parts, $"({string.Join(", ", names)})");
        }

        private static MemoryStream At(byte[] bytes, int position) => new(bytes) { Position = position };

        private static StreamContent Moved(byte[] bytes)
        {
            MemoryStream stream = new(bytes);
            StreamContent content = new(stream);
            stream.Position = bytes.Length / 3;
            return content;
        }

        private static Func<Stream, CancellationToken, Task> Push(byte[] bytes) => async (stream, token) =>
        {
            await stream.WriteAsync(BitConverter.GetBytes(Interlocked.Increment(ref _counter)), token);
            for (int i = 0; i < bytes.Length; i += 1000) await stream.WriteAsync(bytes.AsMemory(i, Math.Min(1000, bytes.Length - i)), token);
        };

        private static Pushed Loaded(byte[] bytes)
        {
            Pushed content = new(null, Push(bytes));
            content.LoadIntoBufferAsync().GetAwaiter().GetResult();
            return content;
        }

        private static IEnumerable<int> Lazy(int count)
        {
            for (int i = 0; i < count + 1; i++) yield return Interlocked.Increment(ref _counter);
        }

        private static async IAsyncEnumerable<int> LazyAsync(int count, [EnumeratorCancellation] CancellationToken token = default)
        {
            for (int i = 0; i < count + 1; i++)
            {
                if (i % 100 == 0) await Task.Yield();
                token.ThrowIfCancellationRequested();
                yield return Interlocked.Increment(ref _counter);
            }
        }

        private sealed class Named(string text) : StringContent(text);

        private sealed class NamedStream(Stream stream) : StreamContent(stream);

        private sealed class Computed() : ByteArrayContent([])
        {
            protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
                stream.WriteAsync(Encoding.ASCII.GetBytes($"{Interlocked.Increment(ref _counter):D10}"), cancellationToken).AsTask();

            protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, default);

            protected override bool TryComputeLength(out long length)
            {
                length = 10;
                return true;
            }
        }
    }

    /// <summary>A user's own content.</summary>
    private sealed class Pushed(long? length, Func<Stream, CancellationToken, Task> push) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => push(stream, default);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
            push(stream, cancellationToken);

        protected override bool TryComputeLength(out long computed)
        {
            computed = length ?? 0;
            return length is not null;
        }
    }

    private sealed class OneWayStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }
    }

    private sealed class Sending(Func<HttpContent, Task<HttpResponseMessage>> send) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => send(request.Content!);
    }

    private sealed class Failing : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("cut");

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromException(new IOException("cut"));
    }

    /// <summary>Believes too much, in one way.</summary>
    private sealed class Credulous(string belief) : SendRules
    {
        internal override ContentKind KindOf(HttpContent content, ref List<RewindableStream>? streams)
        {
            if (belief.StartsWith("JSON", StringComparison.Ordinal) && content is JsonContent) return ContentKind.InMemory;
            if (belief.StartsWith("what derives", StringComparison.Ordinal) && content is ByteArrayContent) return ContentKind.InMemory;
            if (belief.StartsWith("a multipart", StringComparison.Ordinal) && content is MultipartContent parts) return KindOf(parts.First(), ref streams);
            if (belief.StartsWith("a stream", StringComparison.Ordinal) && content.GetType() == typeof(StreamContent)) return ContentKind.InMemory;
            return base.KindOf(content, ref streams);
        }

        internal override bool IsWhole(bool wasStopped, bool hasFailed, long? promised, int count) =>
            belief.StartsWith("what was stopped", StringComparison.Ordinal) || base.IsWhole(wasStopped, hasFailed, promised, count);
    }
}

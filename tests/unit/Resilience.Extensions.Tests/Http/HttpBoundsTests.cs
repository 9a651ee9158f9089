using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http;

/// <summary>Every bound of HttpClient that we lift is replaced, and every bound of ours holds under attack.</summary>
public sealed class HttpBoundsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _time = new();

    private ServiceProvider Container(
        HttpMessageHandler network, Action<StandardResilienceOptions> configure, Action<HttpClient>? client = null, Action<IServiceCollection>? more = null)
    {
        ServiceCollection services = new();
        services.AddSingleton<TimeProvider>(_time);
        services.AddHttpClient("long", c => client?.Invoke(c)).AddStandardResilience(configure).ConfigurePrimaryHttpMessageHandler(() => network);
        more?.Invoke(services);
        return services.BuildServiceProvider();
    }

    private static HttpClient Create(IServiceProvider services) => services.GetRequiredService<IHttpClientFactory>().CreateClient("long");

    public static TheoryData<string> WaysToRead => ["string", "bytes", "buffered", "json", "stream"];

    private static Task ReadAsync(HttpClient client, string way) => way switch
    {
        "string" => client.GetStringAsync(HttpKit.Address),
        "bytes" => client.GetByteArrayAsync(HttpKit.Address),
        "buffered" => client.GetAsync(HttpKit.Address),
        "json" => client.GetFromJsonAsync<int[]>(HttpKit.Address),
        _ => ReadStreamAsync(client),
    };

    private static async Task ReadStreamAsync(HttpClient client)
    {
        using Stream body = await client.GetStreamAsync(HttpKit.Address);
        await body.ReadExactlyAsync(new byte[10]);
    }

    /// <summary>A bare client ended at 100 s; ours, whose total was two minutes, never.</summary>
    [Theory]
    [MemberData(nameof(WaysToRead))]
    public async Task A_body_that_stalls_ends_with_the_total_where_the_timeout_of_the_client_was_lifted(string way)
    {
        Body body = new();
        await using ServiceProvider services = Container(new ScriptedHandler((_, _) => body.Response()), o => o.TotalTimeout = TimeSpan.FromMinutes(2));
        HttpClient client = Create(services);
        client.Timeout.Should().Be(Timeout.InfiniteTimeSpan);
        Task reading = ReadAsync(client, way);
        body.Give([(byte)'[', (byte)'1']);
        await body.IsReadAgainAsync(2);
        _time.Advance(TimeSpan.FromSeconds(119));
        reading.IsCompleted.Should().BeFalse();
        _time.Advance(Second * 2);
        Exception error = (await FluentActions.Awaiting(() => reading.WaitAsync(Patience)).Should().ThrowAsync<Exception>()).Which;
        error.Should().Match<Exception>(e => e is HttpRequestException || e is IOException);
        Chain(error).OfType<TimedOutException>().Should().ContainSingle();
    }

    /// <summary>What tests of applications do: one answer for every request. The retry does not dispose of what the caller gets.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task A_stub_may_answer_every_attempt_with_one_response(bool isStandard, bool isJson)
    {
        using HttpContent content = isJson ? JsonContent.Create(new[] { 1, 2 }) : new StringContent("[1,2]");
        using HttpResponseMessage busy = new(HttpStatusCode.ServiceUnavailable) { Content = content };
        ScriptedHandler network = new((_, _) => busy);
        HttpResilience resilience = isStandard
            ? HttpKit.Standard(_time, o => (o.Retry, o.CircuitBreaker) = (new() { BaseDelay = TimeSpan.Zero, MaxRetries = 2 }, null))
            : HttpResilience.Custom(b => b.AddRetry(o => (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 2)));
        HttpClient client = HttpKit.Client(resilience, network);
        using HttpResponseMessage answer = await client.GetAsync(HttpKit.Address).WaitAsync(Patience);
        network.Count.Should().Be(3);
        (await answer.Content.ReadAsStringAsync()).Should().Be("[1,2]");
    }

    [Fact]
    public async Task A_buffered_body_that_keeps_talking_ends_with_the_total_too()
    {
        Body body = new();
        await using ServiceProvider services = Container(new ScriptedHandler((_, _) => body.Response()), o => o.TotalTimeout = TimeSpan.FromMinutes(2));
        Task<string> reading = Create(services).GetStringAsync(HttpKit.Address);
        for (int i = 1; i <= 3 && !reading.IsCompleted; i++)
        {
            await body.IsReadAgainAsync(i);
            _time.Advance(TimeSpan.FromSeconds(50));
            if (i < 3) body.Give([(byte)'x']);
        }

        await reading.Invoking(r => r.WaitAsync(Patience)).Should().ThrowAsync<Exception>();
    }

    [Theory]
    [InlineData("text/event-stream")]
    [InlineData("application/grpc")]
    [InlineData("multipart/x-mixed-replace")]
    public async Task An_event_stream_is_neither_cut_nor_buffered_by_defaults(string type)
    {
        Body body = new();
        await using ServiceProvider services = Container(
            new ScriptedHandler((_, _) => body.Response(type)), o => (o.TotalTimeout, o.BufferResponses) = (TimeSpan.FromMinutes(2), true));
        using HttpResponseMessage response = await Create(services).GetAsync(HttpKit.Address, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Patience);
        using Stream stream = await response.Content.ReadAsStreamAsync();
        Task<int> read = stream.ReadAsync(new byte[1]).AsTask();
        await body.IsReadAgainAsync(1);
        _time.Advance(TimeSpan.FromHours(2));
        read.IsCompleted.Should().BeFalse();
        body.Give([1]);
        (await read.WaitAsync(Patience)).Should().Be(1);
    }

    [Theory]
    [InlineData("GET", 101)]
    [InlineData("CONNECT", 200)]
    public async Task An_upgraded_connection_is_left_alone_by_idle_limit_buffer_and_limit(string method, int status)
    {
        HttpContent? sent = null;
        ScriptedHandler network = new((_, _) =>
        {
            HttpResponseMessage response = new Body().Response();
            response.StatusCode = (HttpStatusCode)status;
            sent = response.Content;
            return response;
        });
        HttpResilience resilience = HttpKit.Standard(
            _time, o => (o.ReadIdleTimeout, o.BufferResponses, o.ConcurrencyLimit) = (Second, true, new() { MaxConcurrent = 1 }));
        using HttpMessageInvoker invoker = new(new ResilienceHttpHandler(resilience, network));
        using HttpResponseMessage response = await invoker.SendAsync(HttpKit.Request(new(method)), default).WaitAsync(Patience);
        response.Content.Should().BeSameAs(sent, "its stream is read and written by both sides");
        resilience.For(HttpKit.Address).ConcurrencyLimit!.Running.Should().Be(0);
    }

    [Fact]
    public async Task What_the_pipeline_buffers_is_bounded_by_the_clients_own_maximum_too()
    {
        await using ServiceProvider services = Container(
            new ScriptedHandler((_, _) => new TrackedResponse(HttpStatusCode.OK, new('x', 1001))), o => o.BufferResponses = true, c => c.MaxResponseContentBufferSize = 1000);
        await Create(services).Invoking(c => c.GetStringAsync(HttpKit.Address)).Should().ThrowAsync<HttpRequestException>();
    }

    /// <summary>As the constructor of a typed client does.</summary>
    [Fact]
    public async Task What_is_set_on_a_client_after_it_was_made_bounds_what_the_pipeline_buffers()
    {
        await using ServiceProvider services = Container(
            new ScriptedHandler((_, _) => new TrackedResponse(HttpStatusCode.OK, new('x', 1001))), o => o.BufferResponses = true);
        HttpClient client = Create(services);
        client.MaxResponseContentBufferSize = 1000;
        await client.Invoking(c => c.GetStringAsync(HttpKit.Address)).Should().ThrowAsync<HttpRequestException>();
        GC.KeepAlive(client);
    }

    [Fact]
    public async Task The_factory_logs_the_call_once_and_each_attempt_next_to_the_wire()
    {
        FakeLogCollector log = new();
        await using ServiceProvider services = Container(
            new ScriptedHandler(HttpStatusCode.BadGateway, HttpStatusCode.OK), o => o.Retry!.BaseDelay = TimeSpan.Zero,
            more: s => s.AddLogging(l => l.AddProvider(new FakeLoggerProvider(log))));
        (await Create(services).GetAsync(HttpKit.Address)).StatusCode.Should().Be(HttpStatusCode.OK);
        string[] ended = [.. log.GetSnapshot().Where(r => r.Id.Name is "RequestPipelineEnd" or "RequestEnd")
            .Select(r => $"{r.Category!.Split('.')[^1]}: {r.StructuredState!.First(p => p.Key == "StatusCode").Value}")];
        ended.Should().Equal("ClientHandler: 502", "ClientHandler: 200", "LogicalHandler: 200");
    }

    [Fact]
    public async Task The_response_names_the_attempt_that_it_answers_with_the_callers_headers_and_options()
    {
        HttpClient client = HttpKit.Client(HttpKit.Standard(_time), new ScriptedHandler(HttpStatusCode.BadGateway, HttpStatusCode.OK));
        HttpRequestMessage request = HttpKit.Request(HttpMethod.Get);
        HttpRequestOptionsKey<string> tenant = new("tenant");
        request.Options.Set(tenant, "acme");
        request.Headers.Add("X-Tenant", "acme");
        using HttpResponseMessage response = await client.SendAsync(request);
        response.RequestMessage!.RequestUri.Should().Be(HttpKit.Address);
        response.RequestMessage.Headers.GetValues("X-Tenant").Should().Equal("acme");
        response.RequestMessage.Options.TryGetValue(tenant, out string? found).Should().BeTrue();
        found.Should().Be("acme");
    }

    // ---- the place of a limit

    /// <summary>A limit of 2 let 12 downloads run.</summary>
    [Fact]
    public async Task A_limit_counts_bodies_that_are_being_read_into_memory()
    {
        Body[] bodies = [.. Enumerable.Range(0, 12).Select(_ => new Body())];
        ScriptedHandler network = new((n, _) => bodies[n].Response());
        HttpResilience resilience = Limited(2);
        HttpClient client = HttpKit.Client(resilience, network);
        Task<string>[] first = [client.GetStringAsync(HttpKit.Address), client.GetStringAsync(HttpKit.Address)];
        await bodies[0].IsReadAgainAsync(1);
        await bodies[1].IsReadAgainAsync(1);
        for (int i = 0; i < 10; i++) await client.Invoking(c => c.GetStringAsync(HttpKit.Address)).Should().ThrowAsync<HttpResilienceException>();
        network.Count.Should().Be(2);
        resilience.For(HttpKit.Address).ConcurrencyLimit!.Running.Should().Be(2);

        bodies[0].Give([]);
        bodies[1].Break();
        await Task.WhenAll(first).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Patience);
        resilience.For(HttpKit.Address).ConcurrencyLimit!.Running.Should().Be(0, "one ended and one broke off");
    }

    [Theory]
    [InlineData(false, "read")]
    [InlineData(true, "read")]
    [InlineData(false, "dispose")]
    [InlineData(true, "dispose")]
    [InlineData(true, "break")]
    public async Task A_stream_keeps_the_place_to_its_end_only_if_configured(bool holds, string end)
    {
        Body body = new();
        HttpResilience resilience = Limited(1, o => o.HoldPlaceForStreams = holds);
        ConcurrencyLimit limit = resilience.For(HttpKit.Address).ConcurrencyLimit!;
        HttpResponseMessage response = await HttpKit.Client(resilience, new ScriptedHandler((_, _) => body.Response()))
            .GetAsync(HttpKit.Address, HttpCompletionOption.ResponseHeadersRead);
        limit.Running.Should().Be(1, "it is not known yet how it will be read");
        if (end != "dispose")
        {
            Stream stream = await response.Content.ReadAsStreamAsync();
            body.Give([1]);
            (await stream.ReadAsync(new byte[1])).Should().Be(1);
            limit.Running.Should().Be(holds ? 1 : 0);
            if (end == "break") body.Break();
            else body.Give([]);
            await stream.ReadAsync(new byte[1]).AsTask().ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Patience);
        }
        else
        {
            response.Dispose();
        }

        limit.Running.Should().Be(0);
    }

    [Fact]
    public async Task A_response_that_is_lost_without_being_disposed_of_leaks_no_place()
    {
        HttpResilience resilience = Limited(1);
        ConcurrencyLimit limit = resilience.For(HttpKit.Address).ConcurrencyLimit!;
        await LoseAsync(resilience);
        using CancellationTokenSource patience = new(Patience);
        while (limit.Running > 0)
        {
            patience.Token.ThrowIfCancellationRequested();
            GC.Collect();
            GC.WaitForPendingFinalizers();
            await Task.Yield();
        }

        static async Task LoseAsync(HttpResilience resilience)
        {
            using HttpMessageInvoker invoker = new(new ResilienceHttpHandler(resilience, new Losing()));
            _ = await invoker.SendAsync(HttpKit.Request(HttpMethod.Get), default);
        }
    }

    [Fact]
    public async Task A_response_that_is_retried_or_has_no_body_keeps_no_place()
    {
        HttpResilience resilience = Limited(1);
        HttpClient client = HttpKit.Client(resilience, new ScriptedHandler(HttpStatusCode.BadGateway, HttpStatusCode.BadGateway, HttpStatusCode.OK));
        (await client.GetStringAsync(HttpKit.Address)).Should().BeEmpty();
        using HttpResponseMessage head = await client.SendAsync(HttpKit.Request(HttpMethod.Head), HttpCompletionOption.ResponseHeadersRead);
        resilience.For(HttpKit.Address).ConcurrencyLimit!.Running.Should().Be(0);
    }

    /// <summary>The limiter of the framework counts the same, and so does a limit around a hedge or a retry of a pipeline of one's own.</summary>
    [Theory]
    [InlineData("limiter")]
    [InlineData("outside the retry")]
    [InlineData("hedged")]
    public async Task Every_limit_of_any_pipeline_counts_bodies_that_are_being_read(string what)
    {
        using System.Threading.RateLimiting.ConcurrencyLimiter limiter = new(new() { PermitLimit = 1 });
        Body body = new();
        HttpResilience resilience = HttpResilience.Custom(p =>
        {
            p.TimeProvider = _time;
            if (what == "limiter") p.AddRetry(o => o.BaseDelay = TimeSpan.Zero).AddRateLimiter(limiter);
            if (what == "outside the retry") p.AddConcurrencyLimit(1).AddRetry(o => o.BaseDelay = TimeSpan.Zero);
            if (what == "hedged") p.AddHedging(o => o.Delay = TimeSpan.FromSeconds(5)).AddConcurrencyLimit(1);
        });
        HttpClient client = HttpKit.Client(resilience,
            new ScriptedHandler((n, _) => n == 0 && what != "hedged" ? new TrackedResponse(HttpStatusCode.BadGateway) : body.Response()));
        Task<string> first = client.GetStringAsync(HttpKit.Address);
        await body.IsReadAgainAsync(1);
        await client.Invoking(c => c.GetStringAsync(HttpKit.Address)).Should().ThrowAsync<HttpResilienceException>();
        Running().Should().Be(1);
        body.Give([(byte)'x']);
        body.Give([]);
        (await first.WaitAsync(Patience)).Should().Be("x");
        Running().Should().Be(0);

        long Running() => what == "limiter"
            ? 1 - limiter.GetStatistics()!.CurrentAvailablePermits
            : resilience.For(HttpKit.Address).ConcurrencyLimit!.Running;
    }

    private HttpResilience Limited(int max, Action<StandardResilienceOptions>? configure = null) => HttpKit.Standard(_time, o =>
    {
        o.ConcurrencyLimit = new() { MaxConcurrent = max };
        configure?.Invoke(o);
    });

    // ---- long polls

    /// <summary>25 idle connections of a healthy server opened the circuit: each poll was cut after 7 s and counted as a failure.</summary>
    [Theory]
    [InlineData("path")]
    [InlineData("predicate")]
    [InlineData("request")]
    [InlineData("configuration")]
    public async Task Twenty_five_idle_long_polls_do_not_open_the_circuit(string how)
    {
        Polls network = new();
        await using ServiceProvider services = Container(
            network,
            o =>
            {
                if (how == "path") o.LongPolls.Paths.Add("/chat");
                if (how == "predicate") o.LongPolls.Matches = r => r.RequestUri!.AbsolutePath.StartsWith("/chat", StringComparison.Ordinal);
            },
            more: s =>
            {
                if (how == "configuration")
                {
                    s.AddHttpClient("long").RemoveResilience().AddStandardResilience(new ConfigurationBuilder()
                        .AddInMemoryCollection([new("LongPolls:Paths:0", "/chat/")]).Build());
                }
            });
        HttpClient client = Create(services);
        client.Timeout = Timeout.InfiniteTimeSpan;
        using CancellationTokenSource leave = new();
        Task<HttpResponseMessage>[] polls =
        [
            .. Enumerable.Range(0, 25).Select(i => client.SendAsync(
                new HttpRequestMessage(HttpMethod.Get, $"https://hub.test/chat/{i}?id=7").WithResilience(o => o.IsLongPoll = how == "request" ? true : null), leave.Token)),
        ];
        await network.WaitForAsync(25);
        for (int i = 0; i < 18; i++) _time.Advance(Second);
        _time.Advance(TimeSpan.FromMinutes(10));
        network.Cut.Should().Be(0);
        polls.Should().OnlyContain(p => !p.IsCompleted);
        services.GetRequiredService<HttpResilienceProvider>().GetResilience("long").For(new("https://hub.test"))
            .CircuitBreaker!.State.Should().Be(CircuitState.Closed);
        await leave.CancelAsync();
        await Task.WhenAll(polls).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Patience);
    }

    [Fact]
    public async Task A_long_poll_whose_own_time_is_up_is_neither_repeated_nor_counted()
    {
        Polls network = new();
        HttpResilience resilience = HttpKit.Standard(_time, o =>
        {
            o.LongPolls.Paths.Add("/chat");
            o.LongPolls.Timeout = TimeSpan.FromSeconds(50);
            o.CircuitBreaker = new() { ConsecutiveFailures = 1 };
        });
        HttpClient client = HttpKit.Client(resilience, network);
        client.Timeout = Timeout.InfiniteTimeSpan;
        for (int i = 0; i < 3; i++)
        {
            Task<HttpResponseMessage> poll = client.GetAsync("https://hub.test/chat");
            await network.WaitForAsync(i + 1);
            _time.Advance(TimeSpan.FromSeconds(49));
            poll.IsCompleted.Should().BeFalse();
            _time.Advance(Second);
            (await FluentActions.Awaiting(() => poll.WaitAsync(Patience)).Should().ThrowAsync<HttpResilienceException>()).Which.IsTimeout.Should().BeTrue();
        }

        network.Count.Should().Be(3);
        resilience.For(new("https://hub.test")).CircuitBreaker!.State.Should().Be(CircuitState.Closed);
    }

    /// <summary>Where the timeout of the client was lifted, the total bounds the body of a long poll from its headers on.</summary>
    [Fact]
    public async Task The_body_of_a_poll_that_was_held_for_longer_than_the_total_is_read_all_the_same()
    {
        Body body = new();
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously),
            answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ScriptedHandler network = new(async (_, _, _) =>
        {
            arrived.SetResult();
            await answer.Task;
            return body.Response();
        });
        await using ServiceProvider services = Container(network, o =>
        {
            o.TotalTimeout = TimeSpan.FromMinutes(2);
            o.LongPolls.Paths.Add("/orders");
        });
        Task<string> poll = Create(services).GetStringAsync(HttpKit.Address);
        await arrived.Task.WaitAsync(Patience);
        _time.Advance(TimeSpan.FromMinutes(10));
        answer.SetResult();
        await body.IsReadAgainAsync(1);
        body.Give([(byte)'x']);
        body.Give([]);
        (await poll.WaitAsync(Patience)).Should().Be("x");
    }

    [Theory]
    [InlineData("/chat", "/chat", true)]
    [InlineData("/chat/", "/chat", true)]
    [InlineData("/chat", "/CHAT/1/2", true)]
    [InlineData("/chat", "/chatter", false)]
    [InlineData("/chat/room", "/chat", false)]
    [InlineData("/", "/anything", true)]
    public void A_path_is_a_long_poll_with_all_that_lies_below_it(string prefix, string path, bool isOne)
    {
        StandardResilienceOptions options = new();
        options.LongPolls.Paths.Add(prefix);
        options.LongPolls.IsOne(new(HttpMethod.Get, $"https://hub.test{path}?x=/chat")).Should().Be(isOne);
        options.FindProblems().Should().BeEmpty();
        options.LongPolls.Paths.Add("chat");
        options.LongPolls.Timeout = TimeSpan.Zero;
        options.FindProblems().Select(p => p.Option).Should().Equal("LongPolls.Timeout", "LongPolls.Paths[1]");
    }

    // ---- series and names

    /// <summary>300 hosts called once made 3,323 series.</summary>
    [Fact]
    public async Task Three_hundred_hosts_called_once_make_a_bounded_number_of_series_and_no_phantom()
    {
        ServiceCollection services = new();
        services.AddMetrics();
        await using ServiceProvider container = services.BuildServiceProvider();
        IMeterFactory meters = container.GetRequiredService<IMeterFactory>();
        HashSet<string> series = [], pipelines = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Scope == meters || instrument.Meter.Name == "Resilience.SilentMeterFactory") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((i, _, tags, _) => Note(i, tags));
        listener.SetMeasurementEventCallback<int>((i, _, tags, _) => Note(i, tags));
        listener.SetMeasurementEventCallback<double>((i, _, tags, _) => Note(i, tags));
        listener.Start();
        HttpResilience resilience = HttpResilience.Standard(
            new() { ConcurrencyLimit = new(), MaxNamedAuthorities = 10, MaxAuthorities = 300 }, "shop", b => b.MeterFactory = meters);
        listener.RecordObservableInstruments();
        series.Should().BeEmpty("no request was made, so there is nothing to see");

        HttpClient client = HttpKit.Client(resilience, new ScriptedHandler(HttpStatusCode.OK));
        for (int n = 0; n < 300; n++) await client.GetAsync($"https://host-{n}.test/");
        listener.RecordObservableInstruments();
        pipelines.Should().HaveCount(11).And.Contain("shop/other").And.NotContain("shop/*");
        series.Should().HaveCountLessThan(11 * 15);
        resilience.Authorities.Should().HaveCount(300).And.OnlyContain(a => a.Name.StartsWith("https://host-"), "exceptions still name all of them");
        resilience.Authorities.Select(a => a.CircuitBreaker).Distinct().Should().HaveCount(300, "and each has a circuit of its own");
        GC.KeepAlive(resilience);

        void Note(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            lock (series)
            {
                List<string> texts = [];
                foreach ((string key, object? value) in tags)
                {
                    texts.Add($"{key}={value}");
                    if (key == "resilience.pipeline") pipelines.Add($"{value}");
                }

                series.Add($"{instrument.Name} {string.Join(",", texts.Order(StringComparer.Ordinal))}");
            }
        }
    }

    [Theory]
    [InlineData("https+http://catalog", "https+http://catalog")]
    [InlineData("https+http://catalog:8080", "https+http://catalog:8080")]
    [InlineData("http://catalog:80", "http://catalog")]
    [InlineData("https://[::1]:444/x", "https://[::1]:444")]
    public void An_authority_of_service_discovery_is_called_as_people_write_it(string address, string name) =>
        HttpKit.Standard(_time).For(new(address)).Name.Should().Be(name);

    // ---- a host that stops

    [Fact]
    public async Task A_call_while_a_host_stops_is_rejected()
    {
        ServiceProvider services = Container(new ScriptedHandler(HttpStatusCode.OK), _ => { }, more: s => s.AddResilience()
            .AddPipeline("made", p => p.AddRetry()).AddPipeline("not made", p => p.AddRetry()).AddPipeline<string>("typed", p => p.AddRetry()));
        ResiliencePipelineProvider pipelines = services.GetRequiredService<ResiliencePipelineProvider>();
        HttpResilienceProvider clients = services.GetRequiredService<HttpResilienceProvider>();
        pipelines.TryGetPipeline("made", out _).Should().BeTrue();
        await services.DisposeAsync();
        pipelines.TryGetPipeline("made", out ResiliencePipeline? made).Should().BeFalse();
        made.Should().BeNull();
        pipelines.TryGetPipeline("not made", out _).Should().BeFalse();
        pipelines.TryGetPipeline<string>("typed", out _).Should().BeFalse();
        clients.TryGetResilience("long", out _).Should().BeFalse();
        pipelines.Invoking(p => p.GetPipeline("made")).Should().Throw<ObjectDisposedException>();
        clients.Invoking(c => c.GetResilience("long")).Should().Throw<ObjectDisposedException>();

        PlaceHold hold = new();
        int given = 0;
        hold.TryAdd(() => given++).Should().BeTrue();
        hold.TryAdd(() => throw new InvalidOperationException("swallowed")).Should().BeTrue();
        hold.TryAdd(() => given += 10).Should().BeTrue("a place that cannot be given back keeps no other");
        hold.Dispose();
        hold.Dispose();
        hold.TryAdd(() => given++).Should().BeFalse();
        given.Should().Be(11);
    }

    /// <summary>The walk over the kind: each Try… method of a type that can be disposed of stands in the test above.</summary>
    [Fact]
    public void Every_try_method_of_something_disposable_is_known()
    {
        string[] all =
        [
            .. new[] { typeof(ResiliencePipelineProvider).Assembly, typeof(ResiliencePipeline).Assembly }
                .SelectMany(a => a.GetExportedTypes()).Where(t => typeof(IDisposable).IsAssignableFrom(t) || typeof(IAsyncDisposable).IsAssignableFrom(t))
                .SelectMany(t => t.GetMethods().Where(m => m.Name.StartsWith("Try", StringComparison.Ordinal) && m.DeclaringType == t)
                    .Select(m => $"{t.Name}.{m.Name}"))
                .Distinct().Order(StringComparer.Ordinal),
        ];
        all.Should().Equal("HttpResilienceProvider.TryGetResilience", "PlaceHold.TryAdd", "ResiliencePipelineProvider.TryGetPipeline");
    }

    private static IEnumerable<Exception> Chain(Exception error)
    {
        for (Exception? one = error; one is not null; one = one.InnerException) yield return one;
    }

    private sealed class Losing : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("never read"), RequestMessage = request });
    }

    /// <summary>A server that holds every request.</summary>
    private sealed class Polls : HttpMessageHandler
    {
        private readonly SemaphoreSlim _arrived = new(0);
        private int _waited;

        internal int Cut;
        internal int Count;

        internal async Task WaitForAsync(int count)
        {
            for (; _waited < count; _waited++) (await _arrived.WaitAsync(Patience)).Should().BeTrue("request {0} arrives", _waited);
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref Count);
            _arrived.Release();
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            }
            finally
            {
                Interlocked.Increment(ref Cut);
            }

            return new();
        }
    }

    /// <summary>A body that comes in parts, as the test gives them; an empty part is the end.</summary>
    private sealed class Body : Stream
    {
        private readonly System.Threading.Channels.Channel<byte[]> _parts = System.Threading.Channels.Channel.CreateUnbounded<byte[]>();
        private readonly SemaphoreSlim _reads = new(0);
        private int _seen;

        internal HttpResponseMessage Response(string type = "application/json")
        {
            HttpResponseMessage response = new(HttpStatusCode.OK) { Content = new StreamContent(this) };
            response.Content.Headers.ContentType = new(type);
            return response;
        }

        internal void Give(byte[] part) => _parts.Writer.TryWrite(part);

        internal void Break() => _parts.Writer.TryComplete(new IOException("reset"));

        /// <summary>Ends when so many reads have begun.</summary>
        internal async Task IsReadAgainAsync(int reads)
        {
            for (; _seen < reads; _seen++) (await _reads.WaitAsync(Patience)).Should().BeTrue("the body is read");
        }

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
            _reads.Release();
            byte[] part;
            try
            {
                part = await _parts.Reader.ReadAsync(cancellationToken);
            }
            catch (System.Threading.Channels.ChannelClosedException closed)
            {
                throw closed.InnerException!;
            }

            part.CopyTo(buffer);
            return part.Length;
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

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;

namespace Resilience.Tests.Http.Wire;

/// <summary>"Nothing was sent" is seen at the bottom of the chain of handlers, never taken from the type of an error. A real server counts
/// what it executed, for every way in which a send can end: errors × places in the chain × methods × keys × chains, redirects into the
/// void among them.</summary>
public sealed class NothingSentTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly string UnknownHost = $"http://{new string('x', 64)}.invalid/"; // too long a label: no server is asked
    private static readonly string[] Unsafe = ["POST", "PATCH", "CHARGE"];

    public enum Chain
    {
        /// <summary>Built by hand: no witness above the transport.</summary>
        Hand,

        /// <summary>As <c>IHttpClientFactory</c> builds it.</summary>
        Factory,

        /// <summary>By hand, with hedging in place of the retry.</summary>
        Hedged,
    }

    /// <summary>Where an inner handler ends with an error of its own.</summary>
    public enum Place
    {
        /// <summary>Before it passes anything on.</summary>
        Before,

        /// <summary>After the answer has come.</summary>
        After,

        /// <summary>It sends a copy, with a copy of the content if there is one.</summary>
        AfterCopy,

        /// <summary>It sends a copy with a content of its own.</summary>
        AfterCopyWithoutContent,

        /// <summary>It puts a content of its own into the message.</summary>
        AfterOtherContent,

        /// <summary>Without waiting for what it passed on, once the server has it.</summary>
        Beside,

        /// <summary>It sends a second time after the answer; the second one finds no server.</summary>
        Again,

        /// <summary>It sends the message through another client.</summary>
        Elsewhere,

        /// <summary>It sends a copy with a content of its own through another client, and does not touch what it was given.</summary>
        ElsewhereUntouched,
    }

    public static readonly Func<Exception>[] Errors =
    [
        () => new HttpRequestException(HttpRequestError.NameResolutionError),
        () => new HttpRequestException(HttpRequestError.ConnectionError),
        () => new HttpRequestException(HttpRequestError.ProxyTunnelError),
        () => new HttpRequestException(HttpRequestError.SecureConnectionError, "tls", new IOException("reset")),
        () => new TaskCanceledException("a connect timeout, or a handler of the user's", new TimeoutException()),
        () => new TaskCanceledException("HttpClient.Timeout", new TimeoutException("x", new TaskCanceledException())),
        () => new HttpRequestException(HttpRequestError.ResponseEnded),
        () => new HttpRequestException("unknown", new SocketException((int)SocketError.ConnectionRefused)),
        () => new TimeoutException(),
        () => new IOException(),
    ];

    [Fact]
    public async Task A_post_that_was_executed_and_redirected_into_the_void_is_executed_once()
    {
        await using CountingServer server = await CountingServer.StartAsync();
        foreach (Chain chain in Enum.GetValues<Chain>())
        {
            using Clients clients = new(chain, server, null, SendRules.Default);
            foreach (Case one in Redirects(server)) (await server.ExecutionsOfAsync(clients, one)).Should().Be(1, "{0} by {1}", one, chain);
        }
    }

    [Theory]
    [InlineData(Chain.Hand)]
    [InlineData(Chain.Factory)]
    public async Task A_timeout_of_an_inner_handler_after_a_post_was_sent_is_no_connect_timeout(Chain chain)
    {
        await using CountingServer server = await CountingServer.StartAsync();
        Inner inner = Handler(Place.After, () => new TaskCanceledException("x", new TimeoutException()), server);
        using Clients clients = new(chain, server, inner, SendRules.Default);
        (await server.ExecutionsOfAsync(clients, new("POST", true, false, false, 0, ""))).Should().Be(1);
        clients.Attempts.Should().Be(1);
    }

    [Fact]
    public async Task However_an_inner_handler_ends_an_unsafe_request_without_a_key_is_executed_at_most_once()
    {
        await using CountingServer server = await CountingServer.StartAsync();
        (await ViolationsAsync(server, SendRules.Default)).Should().BeEmpty();
    }

    [Theory]
    [InlineData("the type of the error alone")]
    [InlineData("a body that has begun is ignored")]
    [InlineData("another address is ignored")]
    [InlineData("what passed the witness is ignored")]
    [InlineData("copies of the message are ignored")]
    [InlineData("what does not reach the bottom is taken for unsent")]
    public async Task A_planted_belief_is_found(string belief)
    {
        await using CountingServer server = await CountingServer.StartAsync();
        List<string> found = await ViolationsAsync(server, new Credulous(belief), stopAtFirst: true);
        found.Should().NotBeEmpty("{0}", belief);
    }

    /// <summary>The transport itself may be the user's, or derive from the framework's: it sends something else by another client, and says that it found
    /// no server. A content that has bytes must be asked for them; an empty one need not be.</summary>
    [Theory]
    [InlineData(Chain.Hand)]
    [InlineData(Chain.Factory)]
    public async Task What_a_transport_of_the_users_says_of_an_empty_request_is_not_believed(Chain chain)
    {
        await using CountingServer server = await CountingServer.StartAsync();
        foreach (bool isDerived in (bool[])[false, true])
        {
            Case[] cases = [new("POST", false, false, false, 0, ""), new("PATCH", false, false, true, 0, ""), new("CHARGE", true, false, false, 0, "")];
            foreach (Case one in cases)
            {
                using Clients clients = new(chain, isDerived ? new DerivedTransport(server) : new OwnTransport(server), SendRules.Default);
                (await server.ExecutionsOfAsync(clients, one)).Should().Be(1, "{0} by {1}, derived: {2}", one, chain, isDerived);
                using Clients credulous = new(
                    chain, isDerived ? new DerivedTransport(server) : new OwnTransport(server), new Credulous("every transport asks for the bytes"));
                if (!one.HasBody) (await server.ExecutionsOfAsync(credulous, one)).Should().Be(4, "the planted belief is found");
            }
        }
    }

    /// <summary>A handler of the user's takes the key off, or the caller has left it empty: the server cannot tell a repetition from another request.</summary>
    [Theory]
    [InlineData(Chain.Hand, "k", true)]
    [InlineData(Chain.Factory, "k", true)]
    [InlineData(Chain.Factory, "", false)]
    [InlineData(Chain.Factory, " ", false)]
    public async Task A_key_that_does_not_reach_the_server_makes_nothing_repeatable(Chain chain, string key, bool isTakenOff)
    {
        await using CountingServer server = await CountingServer.StartAsync();
        int attempts = 0;
        using Clients clients = new(
            chain, server, async (message, send, token) =>
            {
                attempts++;
                if (isTakenOff) message.Headers.Remove("Idempotency-Key");
                (await send(message, token)).Dispose();
                return new(HttpStatusCode.ServiceUnavailable);
            },
            SendRules.Default);
        await clients.SendAsync(server.Address, new("POST", true, false, false, 0, ""), "x", r => r.Headers.TryAddWithoutValidation("Idempotency-Key", key));
        attempts.Should().Be(1);
        server.Total.Should().Be(1);
    }

    private class OwnTransport(CountingServer server) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            SendElsewhereAsync(server, request, cancellationToken);

        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.Run(() => SendElsewhereAsync(server, request, cancellationToken), CancellationToken.None).GetAwaiter().GetResult();
    }

    private sealed class DerivedTransport(CountingServer server) : HttpClientHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            SendElsewhereAsync(server, request, cancellationToken);

        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.Run(() => SendElsewhereAsync(server, request, cancellationToken), CancellationToken.None).GetAwaiter().GetResult();
    }

    private static async Task<HttpResponseMessage> SendElsewhereAsync(CountingServer server, HttpRequestMessage request, CancellationToken token)
    {
        using HttpRequestMessage copy = new(request.Method, request.RequestUri);
        copy.Headers.Add("X-Call", request.Headers.GetValues("X-Call"));
        if (request.Content is { Headers.ContentLength: > 0 } content) copy.Content = new ByteArrayContent(await content.ReadAsByteArrayAsync(token));
        (await server.Other.SendAsync(copy, token)).Dispose();
        throw new HttpRequestException(HttpRequestError.ConnectionError);
    }

    /// <summary>A handler of yours may pass on and see that there was no server; a witness at the bottom sees it too. Without one, or where it does not pass
    /// on, it may have done anything.</summary>
    [Theory]
    [InlineData(Chain.Factory, true, 4)]
    [InlineData(Chain.Factory, false, 1)]
    [InlineData(Chain.Hand, true, 1)]
    [InlineData(Chain.Hand, false, 1)]
    public async Task Below_a_handler_of_the_user_only_what_reached_the_bottom_is_believed(Chain chain, bool passesOn, int attempts)
    {
        Uri absent = await RawServer.ClosedAsync();
        using Clients clients = new(
            chain, null, (message, send, token) => passesOn ? send(message, token) : throw new HttpRequestException(HttpRequestError.ConnectionError),
            SendRules.Default);
        await clients.SendAsync(absent, new("POST", true, false, false, 0, ""), "1");
        clients.Attempts.Should().Be(attempts);
    }

    [Theory]
    [InlineData("POST", true)]
    [InlineData("POST", false)]
    [InlineData("PATCH", true)]
    [InlineData("CHARGE", false)]
    public async Task A_request_that_found_no_server_is_retried_also_without_a_key_and_not_if_the_caller_forbids_it(string method, bool hasBody)
    {
        foreach (Chain chain in Enum.GetValues<Chain>())
        {
            foreach (string at in (string[])[(await RawServer.ClosedAsync()).ToString(), UnknownHost])
            {
                using Clients clients = new(chain, null, null, SendRules.Default);
                Case one = new(method, hasBody, IsKeyed: false, IsSynchronous: false, 0, at);
                await clients.SendAsync(new(at), one, "1");
                clients.Attempts.Should().Be(4, "{0} by {1}", one, chain);
                await clients.SendAsync(new(at), one, "2", r => r.WithResilience(o => o.IsRepeatable = false));
                clients.Attempts.Should().Be(5, "{0} by {1}, and the caller said never", one, chain);
            }
        }
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    [InlineData("DELETE")]
    [InlineData("OPTIONS")]
    public async Task The_callers_never_wins_over_everything_and_leaves_no_trace_on_the_wire(string method)
    {
        Uri absent = await RawServer.ClosedAsync();
        using Clients clients = new(Chain.Hand, null, null, SendRules.Default);
        await clients.SendAsync(absent, new(method, false, false, false, 0, ""), "1", r => r.WithResilience(o => o.IsRepeatable = false));
        clients.Attempts.Should().Be(1);

        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, 200));
        await clients.SendAsync(server.Address, new(method, false, false, false, 0, ""), "2", r => r.WithResilience(o => o.IsRepeatable = false));
        using HttpClient plain = new();
        using HttpRequestMessage request = new(new(method), server.Address);
        await plain.SendAsync(request);
        server.Requests[0].Headers.Keys.Where(h => !h.StartsWith("X-", StringComparison.Ordinal)).Should().BeEquivalentTo(server.Requests[1].Headers.Keys);
        server.Requests[0].Headers.Should().NotContainKey("Content-Length");
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("CHARGE")]
    public async Task An_empty_content_looks_the_same_on_the_wire_where_it_is_given(string method)
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, 200));
        using Clients clients = new(Chain.Hand, null, null, SendRules.Default);
        await clients.SendAsync(server.Address, new(method, false, false, false, 0, ""), "1");
        using HttpClient plain = new();
        using HttpRequestMessage request = new(new(method), server.Address);
        await plain.SendAsync(request);
        server.Requests[0].Headers.Keys.Where(IsOfTheRequest).Should().BeEquivalentTo(server.Requests[1].Headers.Keys.Where(IsOfTheRequest));
        server.Requests[0].Headers["Content-Length"].Should().Be(server.Requests[1].Headers["Content-Length"]);

        // A trace header is there or not with the listeners of tests that run beside this one.
        static bool IsOfTheRequest(string header) => !header.StartsWith("X-", StringComparison.Ordinal) && header != "traceparent";
    }

    [Fact]
    public async Task A_server_that_is_asked_by_headers_alone_may_have_acted()
    {
        Uri absent = await RawServer.ClosedAsync();
        using Clients clients = new(Chain.Factory, null, null, SendRules.Default);
        await clients.SendAsync(absent, new("POST", true, false, false, 0, ""), "1", r => r.Headers.ExpectContinue = true);
        clients.Attempts.Should().Be(1);
    }

    [Fact]
    public async Task A_connect_timeout_of_the_transport_is_tried_again()
    {
        using Clients clients = new(Chain.Factory, null, null, SendRules.Default, sockets =>
        {
            sockets.ConnectTimeout = TimeSpan.FromMilliseconds(20);
            sockets.ConnectCallback = async (_, token) =>
            {
                await Task.Delay(Timeout.Infinite, token);
                throw new InvalidOperationException("cannot be");
            };
        });
        await clients.SendAsync(new("http://127.0.0.1/"), new("POST", true, false, false, 0, ""), "1");
        clients.Attempts.Should().Be(4);
    }

    [Fact]
    public async Task A_message_that_was_proved_unsent_does_not_pass_later_beside_its_repetition()
    {
        await using CountingServer server = await CountingServer.StartAsync();
        TaskCompletionSource isOver = new(TaskCreationOptions.RunContinuationsAsynchronously);
        List<Task> late = [];
        int calls = 0;
        using Clients clients = new(
            Chain.Factory, server, async (message, send, token) =>
            {
                if (calls++ > 0) return await send(message, token);
                Uri asked = message.RequestUri!;
                message.RequestUri = server.Absent;
                late.Add(SendLaterAsync());
                return await send(message, token);

                async Task SendLaterAsync()
                {
                    await isOver.Task;
                    message.RequestUri = asked;
                    using HttpResponseMessage response = await send(message, token);
                }
            },
            SendRules.Default);
        (await server.ExecutionsOfAsync(clients, new("POST", true, false, false, 0, ""))).Should().Be(1);
        isOver.SetResult();
        await FluentActions.Awaiting(() => late.Single().WaitAsync(Patience)).Should().ThrowAsync<OperationCanceledException>();
        server.Total.Should().Be(1);
    }

    private static async Task<List<string>> ViolationsAsync(CountingServer server, SendRules rules, bool stopAtFirst = false)
    {
        List<string> found = [];
        foreach (Chain chain in (Chain[])[Chain.Factory, Chain.Hand, Chain.Hedged])
        {
            foreach (Place place in Enum.GetValues<Place>())
            {
                for (int error = 0; error < Errors.Length; error++)
                {
                    using Clients clients = new(chain, server, Handler(place, Errors[error], server), rules);
                    foreach (Case one in Cases(rotate: error + (int)place))
                    {
                        int before = clients.Attempts, executed = await server.ExecutionsOfAsync(clients, one), attempts = clients.Attempts - before;
                        int max = one.IsKeyed || IsSafe(one.Method) ? 4 * 2 : 1;
                        if (executed > max) found.Add($"{chain}, {place}, {error}, {one}: executed {executed} times in {attempts} attempts");
                        if (stopAtFirst && found.Count > 0) return found;
                    }
                }
            }

            using Clients other = new(chain, server, Handler(Place.AfterOtherContent, null, server), rules);
            foreach (Case one in Redirects(server).Where(r => r.To == server.Absent.ToString()))
            {
                if (await server.ExecutionsOfAsync(other, one) > 1) found.Add($"{chain}, other content, {one}");
                if (stopAtFirst && found.Count > 0) return found;
            }
        }

        return found;
    }

    private static bool IsSafe(string method) => !Unsafe.Contains(method);

    /// <summary>A part of all combinations, another part for each error and place: every pair of them meets.</summary>
    private static IEnumerable<Case> Cases(int rotate)
    {
        string method = Unsafe[rotate % 3];
        yield return new(method, HasBody: true, IsKeyed: false, IsSynchronous: rotate % 2 == 0, 0, "");
        yield return new(method, HasBody: false, IsKeyed: false, IsSynchronous: rotate % 2 == 1, 0, "");
        yield return new(method, HasBody: rotate % 2 == 0, IsKeyed: true, IsSynchronous: rotate % 4 == 0, 0, "");
        yield return new("PUT", HasBody: rotate % 2 == 1, IsKeyed: false, IsSynchronous: rotate % 4 == 1, 0, "");
    }

    private static IEnumerable<Case> Redirects(CountingServer server)
    {
        int number = 0;
        foreach (int status in (int[])[301, 302, 303, 307, 308])
        {
            foreach (string to in (string[])[server.Absent.ToString(), UnknownHost])
            {
                foreach (bool hasBody in (bool[])[true, false])
                {
                    yield return new(Unsafe[number % 3], hasBody, IsKeyed: false, IsSynchronous: number % 5 == 0, status, to);
                    number++;
                }
            }
        }
    }

    private static Inner Handler(Place place, Func<Exception>? error, CountingServer server) => async (message, send, token) =>
    {
        switch (place)
        {
            case Place.After:
                (await send(message, token)).Dispose();
                break;
            case Place.AfterCopy:
            case Place.AfterCopyWithoutContent:
                using (HttpRequestMessage copy = new(message.Method, message.RequestUri))
                {
                    foreach (KeyValuePair<string, IEnumerable<string>> header in message.Headers)
                        copy.Headers.TryAddWithoutValidation(header.Key, header.Value);
                    if (place == Place.AfterCopyWithoutContent) copy.Content = new StringContent("of the handler's own");
                    else if (message.Content is not null) copy.Content = new ByteArrayContent(await message.Content.ReadAsByteArrayAsync(token));
                    (await send(copy, token)).Dispose();
                }

                break;
            case Place.AfterOtherContent:
                message.Content = new StringContent("of the handler's own");
                HttpResponseMessage answer = await send(message, token);
                if (error is null) return answer;
                answer.Dispose();
                break;
            case Place.Beside:
                int before = server.Total;
                Task<HttpResponseMessage> sending = send(message, token);
                await server.WhenMoreThanAsync(before);
                _ = sending.ContinueWith(s => s.IsCompletedSuccessfully ? s.Result : null, TaskScheduler.Default);
                break;
            case Place.Again:
                (await send(message, token)).Dispose();
                message.RequestUri = server.Absent;
                return await send(message, token);
            case Place.Elsewhere:
            case Place.ElsewhereUntouched:
                using (HttpRequestMessage copy = new(message.Method, message.RequestUri))
                {
                    copy.Content = place == Place.Elsewhere ? message.Content : new StringContent("of the handler's own");
                    copy.Headers.Add("X-Call", message.Headers.GetValues("X-Call"));
                    (await server.Other.SendAsync(copy, token)).Dispose();
                }

                break;
        }

        throw error!();
    };

    private delegate Task<HttpResponseMessage> Inner(
        HttpRequestMessage message, Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> send, CancellationToken token);

    private sealed record Case(string Method, bool HasBody, bool IsKeyed, bool IsSynchronous, int Status, string To);

    /// <summary>One client over one chain, which counts the attempts.</summary>
    private sealed class Clients : IDisposable
    {
        private readonly HttpMessageInvoker _client;
        private int _attempts;

        internal Clients(Chain chain, CountingServer? server, Inner? inner, SendRules rules, Action<SocketsHttpHandler>? configure = null)
            : this(chain, inner, rules, clients => TransportOf(server, inner is null ? clients : null, configure), knowsTransport: true)
        {
        }

        /// <summary>Over a transport of the user's.</summary>
        internal Clients(Chain chain, HttpMessageHandler transport, SendRules rules)
            : this(chain, null, rules, _ => transport, knowsTransport: false)
        {
        }

        private Clients(Chain chain, Inner? inner, SendRules rules, Func<Clients, HttpMessageHandler> transport, bool knowsTransport)
        {
            HttpMessageHandler bottom = transport(this);
            if (chain == Chain.Factory) bottom = new TransportWitness { InnerHandler = bottom };
            if (inner is not null) bottom = new Counting(this, inner) { InnerHandler = bottom };
            HttpResilience resilience = chain == Chain.Hedged
                ? HttpResilience.Custom(b => b.AddHedging(o => (o.Delay, o.MaxAttempts, o.Budget) = (TimeSpan.FromMinutes(10), 4, RetryBudget.Unlimited)))
                : HttpKit.Standard(TimeProvider.System, o =>
                {
                    o.CircuitBreaker = null;
                    o.Retry!.Budget = RetryBudget.Unlimited;
                });
            _client = new(new ResilienceHttpHandler(resilience, bottom) { Rules = rules, TakesTransportForKnown = knowsTransport });
        }

        private static Borrowed TransportOf(CountingServer? server, Clients? counting, Action<SocketsHttpHandler>? configure)
        {
            SocketsHttpHandler sockets = server?.Shared ?? new SocketsHttpHandler { UseProxy = false };
            configure?.Invoke(sockets);
            return new(sockets, counting);
        }

        internal int Attempts => Volatile.Read(ref _attempts);

        internal async Task SendAsync(Uri address, Case one, string call, Action<HttpRequestMessage>? configure = null)
        {
            using HttpRequestMessage request = new(new(one.Method), address);
            if (one.HasBody) request.Content = new StringContent("pay");
            if (one.IsKeyed) request.Headers.Add("Idempotency-Key", call);
            request.Headers.Add("X-Call", call);
            if (one.Status > 0) request.Headers.Add("X-Redirect", $"{one.Status} {one.To}");
            configure?.Invoke(request);
            try
            {
                using HttpResponseMessage response = one.IsSynchronous
                    ? await Task.Run(() => _client.Send(request, default)).WaitAsync(Patience)
                    : await _client.SendAsync(request, default).WaitAsync(Patience);
            }
            catch (Exception error) when (error is HttpRequestException or OperationCanceledException or TimeoutException or IOException)
            {
                // The server has counted.
            }
        }

        public void Dispose() => _client.Dispose();

        private sealed class Counting(Clients clients, Inner inner) : DelegatingHandler
        {
            protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                Interlocked.Increment(ref clients._attempts);
                return inner(request, base.SendAsync, cancellationToken);
            }

            protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                Interlocked.Increment(ref clients._attempts);
                return inner(request, (message, token) => Task.Run(() => base.Send(message, token), CancellationToken.None), cancellationToken)
                    .GetAwaiter().GetResult();
            }
        }

        /// <summary>The transport: all clients share the connections. It counts where there is no handler above it that does.</summary>
        private sealed class Borrowed(HttpMessageHandler shared, Clients? counting) : HttpMessageHandler
        {
            private readonly HttpMessageInvoker _shared = new(shared, disposeHandler: false);

            protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                if (counting is not null) Interlocked.Increment(ref counting._attempts);
                return _shared.SendAsync(request, cancellationToken);
            }

            protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                if (counting is not null) Interlocked.Increment(ref counting._attempts);
                return _shared.Send(request, cancellationToken);
            }
        }
    }

    /// <summary>Counts what it executes for each call, and redirects where it is told to.</summary>
    private sealed class CountingServer : IAsyncDisposable
    {
        private readonly ConcurrentDictionary<string, int> _executions = [];
        private readonly WireServer _server;
        private int _calls;
        private int _total;
        private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

        private CountingServer(Func<CountingServer, Task<WireServer>> start, Uri absent)
        {
            Absent = absent;
            _server = start(this).GetAwaiter().GetResult();
        }

        /// <summary>Where no server listens.</summary>
        internal Uri Absent { get; }

        internal Uri Address => _server.Address;

        internal SocketsHttpHandler Shared { get; } = new() { UseProxy = false };

        internal HttpClient Other { get; } = new();

        internal int Total => Volatile.Read(ref _total);

        internal static async Task<CountingServer> StartAsync() =>
            new(server => WireServer.StartAsync((_, c) => server.AnswerAsync(c)), await RawServer.ClosedAsync());

        /// <summary>Makes a call, and says how often it was executed.</summary>
        internal async Task<int> ExecutionsOfAsync(Clients clients, Case one)
        {
            string call = Interlocked.Increment(ref _calls).ToString(CultureInfo.InvariantCulture);
            await clients.SendAsync(_server.Address, one, call);
            await _server.WhenIdleAsync();
            return _executions.GetValueOrDefault(call);
        }

        internal async Task WhenMoreThanAsync(int before)
        {
            while (true)
            {
                Task more = Volatile.Read(ref _more).Task;
                if (Total > before) return;
                await more.WaitAsync(Patience);
            }
        }

        public async ValueTask DisposeAsync()
        {
            Shared.Dispose();
            Other.Dispose();
            await _server.DisposeAsync();
        }

        private Task AnswerAsync(HttpContext context)
        {
            string call = context.Request.Headers["X-Call"].ToString();
            _executions.AddOrUpdate(call, 1, (_, n) => n + 1);
            Interlocked.Increment(ref _total);
            Interlocked.Exchange(ref _more, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
            if (context.Request.Headers["X-Redirect"].ToString() is not { Length: > 0 } told) return Task.CompletedTask;
            context.Response.StatusCode = int.Parse(told[..3], CultureInfo.InvariantCulture);
            context.Response.Headers.Location = told[4..];
            return Task.CompletedTask;
        }
    }

    /// <summary>Believes too much, in one way.</summary>
    /// <remarks>Where something did not reach the bottom, one rule sees most of what the others see: those are believed to be blind together with it.</remarks>
    private sealed class Credulous(string belief) : SendRules
    {
        private bool IsTypeOnly => belief.StartsWith("the type", StringComparison.Ordinal);

        protected override bool IsAskedForItsBytes(WatchedContent content, bool knowsTransport) =>
            IsTypeOnly || belief.StartsWith("every transport", StringComparison.Ordinal) || base.IsAskedForItsBytes(content, knowsTransport);

        protected override bool IsUnbegun(WatchedContent content) =>
            IsTypeOnly || belief.StartsWith("a body", StringComparison.Ordinal) || base.IsUnbegun(content);

        protected override bool HadNoStrangers(TransportWitness? witness, int before) =>
            IsTypeOnly || belief.StartsWith("copies", StringComparison.Ordinal) || base.HadNoStrangers(witness, before);

        protected override bool PassedUnsent(AttemptMessage message, out Task<HttpResponseMessage>? pass) =>
            base.PassedUnsent(message, out pass) || IsTypeOnly || belief.StartsWith("what passed", StringComparison.Ordinal);

        protected override bool WasSeen(Task<HttpResponseMessage>? pass, bool hasOthers) =>
            (!belief.StartsWith("another", StringComparison.Ordinal) && !belief.StartsWith("what passed", StringComparison.Ordinal))
            || base.WasSeen(pass, hasOthers);

        protected override bool KeptAddress(AttemptMessage message, Uri? asked, bool isContentOurs, bool hasWitness) =>
            IsTypeOnly || belief.StartsWith("another", StringComparison.Ordinal) || base.KeptAddress(message, asked, isContentOurs, hasWitness);
    }
}

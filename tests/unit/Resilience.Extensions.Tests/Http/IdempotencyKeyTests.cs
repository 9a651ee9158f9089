using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http;

/// <summary>One key for each logical request: made once, the same on each attempt, only where it may go.</summary>
public sealed class IdempotencyKeyTests
{
    private const string Header = "Idempotency-Key";

    private readonly FakeTimeProvider _time = new();

    private HttpClient Client(HttpMessageHandler network, Action<IdempotencyKeyOptions>? configure = null, Action<StandardResilienceOptions>? standard = null)
    {
        IdempotencyKeyOptions options = new();
        configure?.Invoke(options);
        return new(new IdempotencyKeyHandler(options, new ResilienceHttpHandler(HttpKit.Standard(_time, standard), network)));
    }

    private static ScriptedHandler Failing(int times) => new((n, _) => new TrackedResponse(n < times ? HttpStatusCode.BadGateway : HttpStatusCode.OK));

    [Fact]
    public async Task Post_and_patch_get_one_key_that_all_attempts_carry_and_each_request_another()
    {
        ScriptedHandler network = Failing(3);
        HttpClient client = Client(network);
        HttpRequestMessage request = HttpKit.Request(HttpMethod.Post, new StringContent("buy"));
        (await client.SendAsync(request)).StatusCode.Should().Be(HttpStatusCode.OK);
        network.Values(Header).Should().HaveCount(4).And.OnlyContain(k => k == request.Headers.GetValues(Header).Single(), "the caller can read it");
        await client.PatchAsync(HttpKit.Address, new StringContent("y"));
        network.Values(Header).Distinct().Should().HaveCount(2);
        await client.GetAsync(HttpKit.Address);
        network.Values(Header)[^1].Should().BeEmpty();
    }

    [Theory]
    [InlineData("the message", 1)]
    [InlineData("its headers", 1)]
    [InlineData("its options", 1)]
    [InlineData("its options, for another address", 2)]
    [InlineData("nothing", 2)]
    public async Task A_message_that_an_outer_retry_sends_again_or_copies_keeps_its_key(string copied, int keys)
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        IdempotencyKeyHandler handler = new(new(), new ResilienceHttpHandler(HttpKit.Standard(_time), network));
        using HttpMessageInvoker client = new(handler);
        HttpRequestMessage first = HttpKit.Request(HttpMethod.Post, new StringContent("pay"));
        await client.SendAsync(first, default);
        HttpRequestMessage second = copied == "the message" ? first : HttpKit.Request(HttpMethod.Post, new StringContent("pay"));
        if (copied.EndsWith("another address", StringComparison.Ordinal)) second.RequestUri = new(HttpKit.Address, "/other");
        if (copied == "its headers")
        {
            foreach (KeyValuePair<string, IEnumerable<string>> header in first.Headers) second.Headers.TryAddWithoutValidation(header.Key, header.Value);
        }

        if (copied.StartsWith("its options", StringComparison.Ordinal))
        {
            foreach (KeyValuePair<string, object?> option in first.Options) ((IDictionary<string, object?>)second.Options)[option.Key] = option.Value;
        }

        await client.SendAsync(second, default);
        network.Values(Header).Should().HaveCount(2).And.Subject.Distinct().Should().HaveCount(keys);
    }

    [Fact]
    public async Task The_callers_own_key_is_kept_and_one_that_cannot_be_a_key_is_rejected_before_anything_is_sent()
    {
        ScriptedHandler network = Failing(1);
        HttpClient client = Client(network);
        HttpRequestMessage own = HttpKit.Request(HttpMethod.Post);
        own.Headers.Add(Header, "order-17");
        await client.SendAsync(own);
        network.Values(Header).Should().Equal("order-17", "order-17");

        foreach (string[] bad in new string[][] { [""], ["a b"], ["ключ"], [new('x', 256)], ["a", "b"] })
        {
            HttpRequestMessage request = HttpKit.Request(HttpMethod.Post);
            request.Headers.TryAddWithoutValidation(Header, bad);
            await client.Invoking(c => c.SendAsync(request)).Should().ThrowAsync<ArgumentException>(bad[0]).WithMessage($"*{Header}*");
        }

        network.Count.Should().Be(2);
        HttpClient generating = Client(network, o => o.Generate = _ => "a\r\nX-Evil: 1");
        await generating.Invoking(c => c.PostAsync(HttpKit.Address, null)).Should().ThrowAsync<ArgumentException>();
        network.Count.Should().Be(2);
    }

    [Fact]
    public async Task A_delegate_makes_keys_once_for_each_request_and_may_say_none()
    {
        int made = 0;
        ScriptedHandler network = new(HttpStatusCode.BadGateway);
        await Client(network, o => o.Generate = _ => $"k{++made}").PostAsync(HttpKit.Address, null);
        network.Values(Header).Should().Equal("k1", "k1", "k1", "k1");
        await Client(network, o => o.Generate = _ => null).PostAsync(HttpKit.Address, null);
        network.Count.Should().Be(5, "without a key a POST is sent once");
    }

    [Fact]
    public async Task Keys_can_be_quoted()
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        await Client(network, o =>
        {
            o.IsQuoted = true;
            o.Generate = _ => "a\"b\\c";
        }).PostAsync(HttpKit.Address, null);
        network.Values(Header).Should().Equal("\"a\\\"b\\\\c\"");
    }

    [Theory]
    [InlineData("order 7", "\"order 7\"")]
    [InlineData("a,b", "\"a,b\"")]
    [InlineData("a\"b", "\"a\\\"b\"")]
    [InlineData("order-7", "order-7")]
    public async Task A_key_that_cannot_be_sent_bare_is_sent_in_quotes(string key, string sent)
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        HttpClient client = Client(network, o => o.Generate = _ => key);
        await client.PostAsync(HttpKit.Address, null);
        HttpRequestMessage own = HttpKit.Request(HttpMethod.Post);
        own.Headers.TryAddWithoutValidation(Header, sent);
        await client.SendAsync(own);
        network.Values(Header).Should().Equal(sent, sent);
    }

    [Fact]
    public async Task Hosts_that_are_not_on_the_list_get_no_key()
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        HttpClient client = Client(network, o => o.Hosts.Add("API.example.test"));
        await client.PostAsync(HttpKit.Address, null);
        await client.PostAsync("https://other.example.test/", null);
        network.Values(Header).Select(k => k.Length > 0).Should().Equal(true, false);
    }

    [Fact]
    public async Task A_derived_key_is_the_same_for_the_same_operation_of_the_same_inbound_request_and_tells_nothing_of_the_inbound_key()
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        IdempotencyKey? inbound = new("ann", "in-1");
        HttpClient client = Client(network, o => o.FromInbound = _ => inbound);
        await client.PostAsync(HttpKit.Address, null);
        await client.PostAsync(HttpKit.Address, null);
        await client.PostAsync("https://api.example.test/other", null);
        await client.SendAsync(HttpKit.Request(HttpMethod.Post).WithResilience(o => o.Operation = "second"));
        inbound = new("ann", "in-2");
        await client.PostAsync(HttpKit.Address, null);
        inbound = new("bob", "in-1");
        await client.PostAsync(HttpKit.Address, null);
        inbound = null;
        await client.PostAsync(HttpKit.Address, null);
        string[] keys = network.Values(Header);
        keys[0].Should().Be(keys[1]).And.HaveLength(43).And.NotContain("in-1");
        keys.Distinct().Should().HaveCount(6, "bob's in-1 is not ann's");
    }

    [Theory]
    [InlineData(true, false, 4)]
    [InlineData(false, false, 1)]
    [InlineData(false, true, 5)]
    public async Task A_conflict_is_retried_with_the_same_key_when_the_first_attempt_is_still_under_way(bool hasRetryAfter, bool isResend, int attempts)
    {
        ScriptedHandler network = new((n, _) =>
        {
            if (isResend && n == 0) return new TrackedResponse(HttpStatusCode.GatewayTimeout);
            TrackedResponse response = new(n + 1 < attempts ? HttpStatusCode.Conflict : attempts == 1 ? HttpStatusCode.Conflict : HttpStatusCode.OK);
            if (hasRetryAfter) response.Headers.RetryAfter = new(TimeSpan.Zero);
            return response;
        });
        HttpClient client = Client(network, standard: o => (o.Retry!.MaxRetries, o.AttemptTimeout) = (9, TimeSpan.FromSeconds(2)));
        await client.PostAsync(HttpKit.Address, new StringContent("buy"));
        network.Count.Should().Be(attempts);
        network.Values(Header).Distinct().Should().ContainSingle();
    }

    [Fact]
    public async Task A_conflict_without_a_key_and_a_422_are_answers()
    {
        ScriptedHandler conflict = new((_, _) =>
        {
            TrackedResponse response = new(HttpStatusCode.Conflict);
            response.Headers.RetryAfter = new(TimeSpan.Zero);
            return response;
        });
        await HttpKit.Client(HttpKit.Standard(_time), conflict).PutAsync(HttpKit.Address, null);
        conflict.Count.Should().Be(1);
        ScriptedHandler mismatch = new(HttpStatusCode.UnprocessableEntity);
        await Client(mismatch).PostAsync(HttpKit.Address, null);
        mismatch.Count.Should().Be(1);
    }

    [Theory]
    [InlineData("https://api.example.test/elsewhere", true)]
    [InlineData("/elsewhere", true)]
    [InlineData("https://api.example.test:8443/", false)]
    [InlineData("https://evil.test/", false)]
    public async Task A_redirect_keeps_the_key_within_the_origin_and_drops_it_with_the_credentials_beyond(string location, bool keeps)
    {
        ScriptedHandler network = new((n, _) =>
        {
            TrackedResponse response = new(n == 0 ? HttpStatusCode.TemporaryRedirect : HttpStatusCode.OK);
            response.Headers.Location = new(location, UriKind.RelativeOrAbsolute);
            return response;
        });
        HttpClient client = Client(new SafeRedirectHandler(network));
        HttpRequestMessage request = HttpKit.Request(HttpMethod.Post, new StringContent("buy"));
        request.Headers.Add("Authorization", "Bearer secret");
        request.Headers.Add("Cookie", "session=1");
        (await client.SendAsync(request)).StatusCode.Should().Be(HttpStatusCode.OK);
        network.Requests.Should().HaveCount(2).And.OnlyContain(r => r.Method == HttpMethod.Post && r.Body == "buy");
        ScriptedHandler.Seen last = network.Requests.Last();
        last.Headers.ContainsKey(Header).Should().Be(keeps);
        last.Headers.ContainsKey("Cookie").Should().Be(keeps);
        last.Headers.ContainsKey("Authorization").Should().BeFalse();
        network.Responses.Cast<TrackedResponse>().Select(r => r.IsDisposed).Should().Equal(true, false);
    }

    [Fact]
    public async Task What_failed_at_another_origin_that_did_not_get_the_key_is_not_repeated()
    {
        ScriptedHandler network = new((n, request) =>
        {
            if (request.RequestUri!.Host == "other.test") return new TrackedResponse(HttpStatusCode.BadGateway);
            TrackedResponse response = new(HttpStatusCode.PermanentRedirect);
            response.Headers.Location = new("https://other.test/");
            return response;
        });
        (await Client(new SafeRedirectHandler(network)).PostAsync(HttpKit.Address, new StringContent("buy"))).StatusCode.Should().Be(HttpStatusCode.BadGateway);
        network.Count.Should().Be(2);
    }

    [Theory]
    [InlineData(301, "POST", "GET")]
    [InlineData(302, "POST", "GET")]
    [InlineData(303, "POST", "GET")]
    [InlineData(303, "PUT", "GET")]
    [InlineData(300, "POST", "GET")]
    [InlineData(301, "PUT", "PUT")]
    [InlineData(307, "POST", "POST")]
    [InlineData(308, "POST", "POST")]
    [InlineData(303, "HEAD", "HEAD")]
    public async Task Redirects_turn_methods_as_the_frameworks_own_do(int status, string before, string after)
    {
        ScriptedHandler network = new((n, _) =>
        {
            TrackedResponse response = new(n == 0 ? (HttpStatusCode)status : HttpStatusCode.OK);
            response.Headers.Location = new("/next", UriKind.Relative);
            return response;
        });
        using HttpMessageInvoker client = new(new SafeRedirectHandler(network));
        await client.SendAsync(HttpKit.Request(new(before), before == "HEAD" ? null : new StringContent("x")), default);
        network.Requests.Last().Method.Method.Should().Be(after);
        (network.Requests.Last().Body is null).Should().Be(after is "GET" or "HEAD");
    }

    [Theory]
    [InlineData("http://api.example.test/")]
    [InlineData("ftp://api.example.test/")]
    [InlineData(null)]
    public async Task Redirects_that_go_nowhere_safe_are_answers(string? location)
    {
        ScriptedHandler network = new((_, _) =>
        {
            TrackedResponse response = new(HttpStatusCode.Found);
            if (location is not null) response.Headers.Location = new(location);
            return response;
        });
        using HttpMessageInvoker client = new(new SafeRedirectHandler(network));
        (await client.SendAsync(HttpKit.Request(HttpMethod.Get), default)).StatusCode.Should().Be(HttpStatusCode.Found);
        network.Count.Should().Be(1);
    }

    [Fact]
    public async Task Redirects_in_a_circle_end()
    {
        ScriptedHandler network = new((_, _) =>
        {
            TrackedResponse response = new(HttpStatusCode.Found);
            response.Headers.Location = new("/again", UriKind.Relative);
            return response;
        });
        using HttpMessageInvoker client = new(new SafeRedirectHandler(network, maxRedirects: 7));
        (await client.SendAsync(HttpKit.Request(HttpMethod.Get), default)).StatusCode.Should().Be(HttpStatusCode.Found);
        network.Count.Should().Be(8);
    }

    /// <summary>How often it is told that keys were given below another's retry, which sends this message three times, or three like it.</summary>
    private static async Task<int> TellingsAsync(
        Func<HttpRequestMessage> next, HttpStatusCode first = HttpStatusCode.BadGateway, bool isOneSpan = true, Action<IdempotencyKeyOptions>? configure = null)
    {
        FakeLogCollector log = new();
        ScriptedHandler network = new((n, _) => new TrackedResponse(n == 0 ? first : HttpStatusCode.OK));
        ServiceCollection services = new();
        services.AddLogging(l => l.AddProvider(new FakeLoggerProvider(log)));
        services.AddHttpClient("sdk").AddIdempotencyKey(configure).ConfigurePrimaryHttpMessageHandler(() => network);
        await using ServiceProvider container = services.BuildServiceProvider();
        using HttpMessageInvoker client = new(container.GetRequiredService<IHttpMessageHandlerFactory>().CreateHandler("sdk"));
        using Activity call = new Activity("call").Start();
        for (int attempt = 0; attempt < 3; attempt++)
        {
            using Activity? own = isOneSpan ? null : new Activity("attempt").Start();
            (await client.SendAsync(next(), default)).Dispose();
        }

        return log.GetSnapshot().Count(r => r.Id.Name == "KeysOfOneCallDiffer");
    }

    [Fact]
    public async Task Two_keys_of_one_call_are_reported_once()
    {
        static HttpRequestMessage New() => HttpKit.Request(HttpMethod.Post);
        HttpRequestMessage one = New();

        (await TellingsAsync(New)).Should().Be(1, "an SDK that makes a message for each attempt");
        (await TellingsAsync(() => one)).Should().Be(0, "the same message keeps its key");
        (await TellingsAsync(New, HttpStatusCode.OK)).Should().Be(0, "nothing had failed");
        (await TellingsAsync(New, isOneSpan: false)).Should().Be(0, "these are three calls");
        (await TellingsAsync(New, configure: o => o.FromInbound = _ => new IdempotencyKey("ann", "k"))).Should().Be(0, "a derived key is the same again");
        int n = 0;
        (await TellingsAsync(() => HttpKit.Request(n++ % 2 == 0 ? HttpMethod.Post : HttpMethod.Patch))).Should().Be(1, "the third is like the first");
    }

    [Fact]
    public async Task The_factory_switches_the_frameworks_redirects_off_and_ours_on()
    {
        SocketsHttpHandler primary = new() { MaxAutomaticRedirections = 5 };
        await using ServiceProvider services = new ServiceCollection().AddHttpClient("shop")
            .AddIdempotencyKey().AddStandardResilience().ConfigurePrimaryHttpMessageHandler(() => primary).Services.BuildServiceProvider();
        HttpMessageHandler? chain = services.GetRequiredService<IHttpMessageHandlerFactory>().CreateHandler("shop");
        List<Type> types = [];
        for (; chain is DelegatingHandler { InnerHandler: { } inner }; chain = inner) types.Add(chain.GetType());
        primary.AllowAutoRedirect.Should().BeFalse();
        types.Where(t => t.Namespace == "Resilience.Http")
            .Should().Equal(typeof(IdempotencyKeyHandler), typeof(ResilienceHttpHandler), typeof(SafeRedirectHandler), typeof(TransportWitness));
    }
}

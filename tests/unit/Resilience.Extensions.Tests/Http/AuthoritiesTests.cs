using System.Net;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http;

/// <summary>One circuit, budget and limit for each authority, in bounded memory.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class AuthoritiesTests
{
    private readonly FakeTimeProvider _time = new();

    private static Uri Host(int n) => new($"https://h{n}.test/");

    [Fact]
    public void Sixty_four_racing_first_requests_make_one_pipeline()
    {
        int built = 0;
        HttpResilience resilience = HttpResilience.Custom(p =>
        {
            Interlocked.Increment(ref built);
            p.AddCircuitBreaker();
        });
        HttpAuthority[] seen = new HttpAuthority[64];
        Together.Run(64, 1, _ => { }, (thread, _) => seen[thread] = resilience.For(new("https://HOST.test:443/path")), _ => { });
        seen.Distinct().Should().ContainSingle().Which.Name.Should().Be("https://host.test");
        built.Should().Be(2, "one for the authority and one to check");
        resilience.Authorities.Should().ContainSingle();
    }

    [Fact]
    public async Task The_outage_of_one_authority_does_not_stop_another()
    {
        ScriptedHandler network = new((_, r) => new TrackedResponse(r.RequestUri!.Host == "h1.test" ? HttpStatusCode.InternalServerError : HttpStatusCode.OK));
        HttpResilience resilience = HttpKit.Standard(_time, o => (o.Retry, o.CircuitBreaker) = (null, new() { ConsecutiveFailures = 2 }));
        HttpClient client = HttpKit.Client(resilience, network);
        for (int i = 0; i < 2; i++) await client.GetAsync(Host(1));
        await client.Invoking(c => c.GetAsync(Host(1))).Should().ThrowAsync<HttpResilienceException>();
        (await client.GetAsync(Host(2))).StatusCode.Should().Be(HttpStatusCode.OK);
    }

    [Fact]
    public async Task When_there_are_too_many_the_least_used_are_forgotten_but_never_one_that_is_open()
    {
        ScriptedHandler network = new((_, r) => new TrackedResponse(r.RequestUri!.Host == "h0.test" ? HttpStatusCode.InternalServerError : HttpStatusCode.OK));
        HttpResilience resilience = HttpKit.Standard(_time, o =>
        {
            o.MaxAuthorities = 20;
            o.Retry = null;
            o.CircuitBreaker = new() { ConsecutiveFailures = 1 };
        });
        HttpClient client = HttpKit.Client(resilience, network);
        for (int n = 0; n < 20; n++)
        {
            await client.GetAsync(Host(n));
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        await client.GetAsync(Host(20));
        resilience.Authorities.Select(a => a.Name).Should().HaveCount(19)
            .And.Contain("https://h0.test", "its circuit is open").And.NotContain(["https://h1.test", "https://h2.test"]).And.Contain("https://h20.test");
    }

    [Fact]
    public async Task Those_that_find_no_place_share_one()
    {
        ScriptedHandler network = new(HttpStatusCode.InternalServerError);
        HttpResilience resilience = HttpKit.Standard(_time, o =>
        {
            o.MaxAuthorities = 2;
            o.Retry = null;
            o.CircuitBreaker = new() { ConsecutiveFailures = 2 };
        });
        HttpClient client = HttpKit.Client(resilience, network);
        for (int n = 0; n < 2; n++)
        {
            await client.GetAsync(Host(n));
            await client.GetAsync(Host(n));
        }

        await client.GetAsync(Host(2));
        await client.GetAsync(Host(3));
        resilience.Overflow.CircuitBreaker!.State.Should().Be(CircuitState.Open);
        resilience.Authorities.Should().HaveCount(2);
        resilience.For(Host(4)).Should().BeSameAs(resilience.Overflow);
    }

    [Fact]
    public async Task The_first_authority_is_forgotten_like_any_other()
    {
        HttpResilience resilience = HttpKit.Standard(_time, o => o.MaxAuthorities = 2);
        HttpClient client = HttpKit.Client(resilience, new ScriptedHandler(HttpStatusCode.OK));
        for (int n = 0; n < 4; n++)
        {
            HttpAuthority first = resilience.For(Host(0));
            for (int host = 0; host < 3; host++)
            {
                await client.GetAsync(Host(host));
                _time.Advance(TimeSpan.FromSeconds(2));
            }

            resilience.Authorities.Should().NotContain(first, "it was used least");
            await client.GetAsync(Host(0));
            HttpAuthority next = resilience.For(Host(0));
            next.Should().NotBeSameAs(first);
            resilience.Authorities.Should().Contain(next, "what requests pass is what operators see");
        }
    }

    [Fact]
    public void What_a_request_was_never_asked_for_is_not_made()
    {
        using HttpRequestMessage request = new(HttpMethod.Get, Host(0));
        (MessageParts.HeadersOf(request), MessageParts.OptionsOf(request)).Should().Be((null, null), "the framework has not renamed what we look at");
        request.WithResilience(o => o.Operation = "look");
        request.Headers.Add("X-Tenant", "a");
        MessageParts.OptionsOf(request)!.TryGetValue(HttpRequestOverrides.Key, out HttpRequestOverrides? found).Should().BeTrue();
        found!.Operation.Should().Be("look");
        MessageParts.HeadersOf(request)!.Should().ContainSingle();
    }

    [Fact]
    public async Task A_thousand_hosts_take_bounded_memory()
    {
        HttpResilience resilience = HttpKit.Standard(_time, o => o.MaxAuthorities = 50);
        HttpClient client = HttpKit.Client(resilience, new ScriptedHandler(HttpStatusCode.OK));
        for (int n = 0; n < 1000; n++)
        {
            await client.GetAsync(Host(n));
            resilience.Authorities.Count.Should().BeLessThanOrEqualTo(50);
        }
    }

    [Fact]
    public async Task Partitions_can_be_made_by_anything_of_the_request_and_a_broken_rule_breaks_no_call()
    {
        HttpResilience resilience = HttpKit.Standard(_time, o => o.PartitionBy = r => r.Headers.Host ?? throw new InvalidOperationException("no tenant"));
        HttpClient client = HttpKit.Client(resilience, new ScriptedHandler(HttpStatusCode.OK));
        HttpRequestMessage one = HttpKit.Request(HttpMethod.Get);
        one.Headers.Host = "tenant-1";
        await client.SendAsync(one);
        await client.GetAsync(HttpKit.Address);
        resilience.Authorities.Select(a => a.Name).Should().BeEquivalentTo("tenant-1", "");
    }

    [Fact]
    public void An_update_reaches_all_authorities_keeps_their_state_and_changes_nothing_when_it_is_wrong()
    {
        HttpResilience resilience = HttpKit.Standard(_time);
        HttpAuthority one = resilience.For(Host(1));
        one.CircuitBreaker!.Isolate();
        CircuitBreaker circuit = one.CircuitBreaker;
        resilience.Update(new() { AttemptTimeout = TimeSpan.FromSeconds(2) });
        foreach (HttpAuthority each in new[] { one, resilience.Overflow, resilience.For(Host(2)) })
            each.Pipeline.Describe().Policies[^1].Timeout.Should().Be(TimeSpan.FromSeconds(2));
        one.CircuitBreaker.Should().BeSameAs(circuit);
        circuit.State.Should().Be(CircuitState.Isolated);

        resilience.Invoking(r => r.Update(new() { AttemptTimeout = TimeSpan.FromSeconds(40) })).Should().Throw<ResiliencePipelineException>();
        resilience.Invoking(r => r.Update(new() { MaxAuthorities = -1 })).Should().Throw<ResilienceOptionsException>();
        one.Pipeline.Describe().Policies[^1].Timeout.Should().Be(TimeSpan.FromSeconds(2));
        HttpResilience.Custom(p => p.AddRetry()).Invoking(r => r.Update(new())).Should().Throw<InvalidOperationException>();
    }

    /// <summary>The pattern, the overflow and three authorities are built for an update, and a delegate of the user throws at any one of them.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void When_what_builds_throws_for_one_authority_none_has_changed(bool inFactory)
    {
        int left = int.MaxValue;
        void Pass()
        {
            if (--left == 0) throw new InvalidDataException("not this one");
        }

        HttpResilience resilience = HttpResilience.Standard(new() { MaxAuthorities = 3 }, "shop", builder =>
        {
            builder.TimeProvider = _time;
            if (!inFactory) Pass();
            else builder.AddPolicy(new TimeoutOptions { Name = "mine" }, _ =>
            {
                Pass();
                return new Passes();
            });
        });
        HttpAuthority[] known = [.. Enumerable.Range(1, 4).Select(n =>
        {
            HttpAuthority made = resilience.For(Host(n));
            made.CircuitBreaker!.Isolate(); // so that it is not forgotten for the next one
            return made;
        })];
        known[3].Should().BeSameAs(resilience.Overflow, "the fourth found no place");
        for (int at = 1; at <= 5; at++)
        {
            left = at;
            resilience.Invoking(r => r.Update(new() { MaxAuthorities = 3, AttemptTimeout = TimeSpan.FromSeconds(2) })).Should().Throw<InvalidDataException>();
            left = int.MaxValue;
            TimeSpan? before = new StandardResilienceOptions().AttemptTimeout;
            known.Select(a => a.Pipeline.Describe().Policies[^1].Timeout).Should().AllBeEquivalentTo(before, "it threw at number {0}", at);
            resilience.Describe().Policies[^1].Timeout.Should().Be(before);
        }

        resilience.Update(new() { MaxAuthorities = 3, AttemptTimeout = TimeSpan.FromSeconds(2) });
        known.Select(a => a.Pipeline.Describe().Policies[^1].Timeout).Should().AllBeEquivalentTo(TimeSpan.FromSeconds(2));
    }

    private sealed class Passes : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => next;
    }
}

using System.Net;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http;

/// <summary>New credentials within the attempt that was answered 401.</summary>
public sealed class CredentialTests
{
    private readonly FakeTimeProvider _time = new();
    private int _asked;
    private volatile string _token = "old";

    /// <summary>Behind the pipeline, as applications have it: puts what there is on each request.</summary>
    private sealed class Authorizing(CredentialTests test, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Authorization = new("Bearer", test._token);
            return base.SendAsync(request, cancellationToken);
        }

        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Authorization = new("Bearer", test._token);
            return base.Send(request, cancellationToken);
        }
    }

    private static ScriptedHandler Guarded() => new((_, request) =>
        new TrackedResponse(request.Headers.Authorization!.Parameter == "new" ? HttpStatusCode.OK : HttpStatusCode.Unauthorized));

    private (HttpClient Client, HttpResilience Resilience, List<ResilienceEvent> Events) Make(
        ScriptedHandler network, Func<HttpRequestMessage, CancellationToken, ValueTask<bool>>? refresh = null, Action<StandardResilienceOptions>? more = null)
    {
        List<ResilienceEvent> events = [];
        HttpResilience resilience = HttpKit.Standard(
            _time,
            o =>
            {
                o.RefreshCredentials = async (request, token) =>
                {
                    Interlocked.Increment(ref _asked);
                    return refresh is null ? Renew() : await refresh(request, token);
                };
                more?.Invoke(o);
            },
            events.Add);
        return (new(new ResilienceHttpHandler(resilience, new Authorizing(this, network))), resilience, events);
    }

    private bool Renew()
    {
        _token = "new";
        return true;
    }

    public static TheoryData<string, bool> Methods => new() { { "GET", false }, { "GET", true }, { "POST", false }, { "POST", true }, { "DELETE", false } };

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task A_401_is_sent_once_more_within_the_attempt_and_costs_no_retry_and_moves_no_circuit(string method, bool isSynchronous)
    {
        using ScriptedHandler network = Guarded();
        (HttpClient client, HttpResilience resilience, List<ResilienceEvent> events) = Make(network);
        using HttpRequestMessage request = new(new(method), HttpKit.Address) { Content = method == "POST" ? new StringContent("order") : null };
        using HttpResponseMessage response = isSynchronous ? client.Send(request) : await client.SendAsync(request);
        (response.StatusCode, network.Count, _asked).Should().Be((HttpStatusCode.OK, 2, 1));
        network.Requests.Select(r => r.Body).Should().Equal(method == "POST" ? ["order", "order"] : [null, null]);
        events.Should().NotContain(e => e is RetryScheduled || e is RetryStopped);
        network.Responses.Cast<TrackedResponse>().First().IsDisposed.Should().BeTrue();
        CircuitSnapshot circuit = resilience.For(HttpKit.Address).Pipeline.Find<CircuitBreaker>()!.TakeSnapshot();
        (circuit.Calls, circuit.Failures).Should().Be((1, 0));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Where_there_are_none_the_401_is_the_answer(bool throws)
    {
        using ScriptedHandler network = Guarded();
        (HttpClient client, _, _) = Make(network, (_, _) => throws ? throw new FormatException() : ValueTask.FromResult(false));
        using HttpResponseMessage response = await client.GetAsync(HttpKit.Address);
        (response.StatusCode, network.Count, _asked).Should().Be((HttpStatusCode.Unauthorized, 1, 1));
    }

    [Fact]
    public async Task They_are_asked_for_once_in_a_call()
    {
        using ScriptedHandler network = new(HttpStatusCode.Unauthorized, HttpStatusCode.ServiceUnavailable, HttpStatusCode.Unauthorized);
        (HttpClient client, _, _) = Make(network);
        using HttpResponseMessage response = await client.GetAsync(HttpKit.Address);
        (response.StatusCode, network.Count, _asked).Should().Be((HttpStatusCode.Unauthorized, 3, 1));
    }

    [Fact]
    public async Task A_content_that_can_be_sent_only_once_is_sent_once()
    {
        using ScriptedHandler network = Guarded();
        (HttpClient client, _, _) = Make(network, more: o => o.ReplayBufferBytes = 0);
        using HttpRequestMessage request = new(HttpMethod.Post, HttpKit.Address) { Content = new StreamContent(new OnceStream("order"u8.ToArray())) };
        using HttpResponseMessage response = await client.SendAsync(request);
        (response.StatusCode, network.Count, _asked).Should().Be((HttpStatusCode.Unauthorized, 1, 0));
    }

    private sealed class OnceStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }

    [Fact]
    public async Task Twenty_calls_at_once_ask_once_and_all_are_sent_again()
    {
        const int Calls = 20;
        TaskCompletionSource allAnswered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int answered = 0;
        using ScriptedHandler network = new(async (_, request, _) =>
        {
            if (request.Headers.Authorization!.Parameter == "new") return new TrackedResponse(HttpStatusCode.OK);
            if (Interlocked.Increment(ref answered) == Calls) allAnswered.SetResult();
            await allAnswered.Task; // all were sent with the old ones; half of them may hear of it after the new ones have come
            return new TrackedResponse(HttpStatusCode.Unauthorized);
        });
        (HttpClient client, _, _) = Make(network);
        HttpResponseMessage[] responses = await Task.WhenAll(Enumerable.Range(0, Calls).Select(_ => client.GetAsync(HttpKit.Address)))
            .WaitAsync(TimeSpan.FromMinutes(1));
        responses.Should().OnlyContain(r => r.StatusCode == HttpStatusCode.OK);
        (_asked, network.Count).Should().Be((1, 2 * Calls));
    }

    [Fact]
    public async Task A_caller_who_leaves_waits_no_longer_and_the_last_one_cancels_the_asking()
    {
        using ScriptedHandler network = Guarded();
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously),
            cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        (HttpClient client, _, _) = Make(network, async (_, token) =>
        {
            using CancellationTokenRegistration heard = token.Register(cancelled.SetResult);
            begun.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
            return true;
        });
        using CancellationTokenSource first = new(), second = new();
        Task one = client.GetAsync(HttpKit.Address, first.Token);
        await begun.Task;
        Task two = client.GetAsync(HttpKit.Address, second.Token);
        SpinWait.SpinUntil(() => network.Count == 2, TimeSpan.FromMinutes(1)).Should().BeTrue();
        await first.CancelAsync();
        await FluentActions.Awaiting(() => one).Should().ThrowAsync<OperationCanceledException>();
        await second.CancelAsync();
        await FluentActions.Awaiting(() => two).Should().ThrowAsync<OperationCanceledException>();
        await cancelled.Task.WaitAsync(TimeSpan.FromMinutes(1));
    }
}

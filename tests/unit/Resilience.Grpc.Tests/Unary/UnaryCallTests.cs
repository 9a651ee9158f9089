using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Resilience.Tests.Unary;

/// <summary>What a caller of a unary call sees of its attempts.</summary>
public sealed class UnaryCallTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private static GrpcResilienceOptions Options(Action<GrpcResilienceOptions>? change = null)
    {
        GrpcResilienceOptions options = new() { Retry = new() { MaxRetries = 3, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero, RetryAfterJitter = 0 } };
        options.Idempotent(Orders.Descriptor);
        change?.Invoke(options);
        return options;
    }

    private static Orders.OrdersClient Client(GrpcChannel channel, GrpcResilienceOptions? options = null, Action<ResiliencePipelineBuilder>? configure = null) =>
        new(channel.Intercept(new ResilienceInterceptor(GrpcResilience.Standard("orders", options ?? Options(), configure))));

    private static RpcException Failure(StatusCode code = StatusCode.Unavailable) => new(new(code, "planned"));

    [Fact]
    public async Task Two_hundred_calls_that_are_answered_UNAVAILABLE_open_the_circuit_within_twenty()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
        GrpcResilience resilience = GrpcResilience.Standard("orders"); // all defaults, and a method that is not declared
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        int? openedAt = null, rejected = 0;
        for (int i = 1; i <= 200; i++)
        {
            RpcException failed = await Assert.ThrowsAnyAsync<RpcException>(() => client.PlaceAsync(plan.Order).ResponseAsync);
            failed.StatusCode.Should().Be(StatusCode.Unavailable);
            if (resilience.Own.CircuitBreaker!.State == CircuitState.Open) openedAt ??= i;
            if (failed is GrpcResilienceException { Rejection: CircuitRejection, InnerException: CircuitOpenException }) rejected++;
        }

        openedAt.Should().BeLessThanOrEqualTo(20);
        rejected.Should().BeGreaterThan(100);
        plan.Requests.Should().BeLessThanOrEqualTo(200 - rejected!.Value);
    }

    [Fact]
    public async Task The_attempt_that_wins_gives_response_headers_status_and_trailers()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        TaskCompletionSource looked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        OrderPlan plan = server.Plan(async (n, context) =>
        {
            if (n == 2) await looked.Task;
            await context.WriteResponseHeadersAsync(new() { { "attempt", $"{n}" } });
            context.ResponseTrailers.Add("last", $"{n}");
            return n < 2 ? throw Failure() : n;
        });
        using AsyncUnaryCall<Receipt> call = Client(channel).GetAsync(plan.Order, new Metadata { { "own", "kept" } });
        call.Invoking(c => c.GetStatus()).Should().Throw<InvalidOperationException>();
        call.Invoking(c => c.GetTrailers()).Should().Throw<InvalidOperationException>();
        looked.SetResult();
        Metadata headers = await call.ResponseHeadersAsync.WaitAsync(Bound);
        headers.GetValue("attempt").Should().Be("2");
        (await call).Number.Should().Be(2);
        call.GetStatus().StatusCode.Should().Be(StatusCode.OK);
        call.GetTrailers().GetValue("last").Should().Be("2");
        plan.Headers.Select(h => h.GetValue("grpc-previous-rpc-attempts")).Should().Equal(null, "1", "2");
        plan.Headers.Should().OnlyContain(h => h.GetValue("own") == "kept");
    }

    [Fact]
    public async Task A_call_that_fails_gives_status_trailers_and_headers_of_its_last_attempt()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan((n, context) =>
        {
            context.ResponseTrailers.Add("last", $"{n}");
            throw Failure();
        });
        AsyncUnaryCall<Receipt> call = Client(channel).GetAsync(plan.Order);
        RpcException failed = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync.WaitAsync(Bound));
        failed.Trailers.GetValue("last").Should().Be("3");
        call.GetStatus().StatusCode.Should().Be(StatusCode.Unavailable);
        call.GetTrailers().GetValue("last").Should().Be("3");
        await call.ResponseHeadersAsync.WaitAsync(Bound); // they came with the failure
        plan.Requests.Should().Be(4);
    }

    [Fact]
    public async Task A_blocking_call_is_repeated_on_its_own_thread()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan healing = server.Plan(n => n < 2 ? throw Failure() : n), other = server.Plan(n => throw Failure());
        int thread = 0, mine = 0;
        Orders.OrdersClient client = new(channel.Intercept(new Counting(() => thread = Environment.CurrentManagedThreadId))
            .Intercept(new ResilienceInterceptor(GrpcResilience.Standard("orders", Options(o => o.Retry!.BaseDelay = o.Retry.MaxDelay = TimeSpan.FromMilliseconds(5))))));
        Receipt receipt = await Task.Run(() =>
        {
            mine = Environment.CurrentManagedThreadId;
            return client.Get(healing.Order);
        });
        receipt.Number.Should().Be(2);
        thread.Should().Be(mine);
        client.Invoking(c => c.Place(other.Order)).Should().Throw<RpcException>().Which.StatusCode.Should().Be(StatusCode.Unavailable);
        (healing.Requests, other.Requests).Should().Be((3, 1));
        healing.Headers.Select(h => h.GetValue("grpc-previous-rpc-attempts")).Should().Equal(null, "1", "2");
    }

    [Fact]
    public async Task Call_credentials_and_interceptors_inside_run_for_each_attempt()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel(o => o.UnsafeUseInsecureChannelCallCredentials = true);
        OrderPlan plan = server.Plan(n => n < 1 ? throw Failure() : n);
        int token = 0, inside = 0;
        Orders.OrdersClient client = new(channel.Intercept(new Counting(() => inside++)).Intercept(new ResilienceInterceptor(GrpcResilience.Standard("orders", Options()))));
        CallCredentials credentials = CallCredentials.FromInterceptor((_, metadata) =>
        {
            metadata.Add("authorization", $"token {++token}");
            return Task.CompletedTask;
        });
        await client.GetAsync(plan.Order, new GrpcCallOptions(credentials: credentials));
        inside.Should().Be(2);
        plan.Headers.Select(h => h.GetValue("authorization")).Should().Equal("token 1", "token 2");
    }

    [Theory]
    [InlineData("idempotency-key", "k-1", 4)]
    [InlineData("idempotency-key", " ", 1)]
    [InlineData("other", "k-1", 1)]
    public async Task A_call_with_a_key_may_be_repeated_whatever_its_method(string name, string value, int requests)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
        await Assert.ThrowsAsync<RpcException>(() => Client(channel).PlaceAsync(plan.Order, new Metadata { { name, value } }).ResponseAsync);
        plan.Requests.Should().Be(requests);
        plan.Headers.Select(h => h.GetValue(name)).Distinct().Should().ContainSingle();
    }

    [Theory]
    [InlineData("/shop.Orders/Place", true)]
    [InlineData("shop.Orders/Place", true)]
    [InlineData("/shop.Orders/*", true)]
    [InlineData("/shop.Orders/place", false)]
    [InlineData("/shop.Orders/Get", false)]
    public async Task A_method_is_declared_by_its_path(string path, bool isRepeated)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
        GrpcResilienceOptions options = new() { Retry = new() { MaxRetries = 1, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero } };
        await Assert.ThrowsAsync<RpcException>(() => Client(channel, options.Idempotent(path)).PlaceAsync(plan.Order).ResponseAsync);
        plan.Requests.Should().Be(isRepeated ? 2 : 1);
    }

    [Theory]
    [InlineData("Place")]
    [InlineData("/shop.Orders/")]
    [InlineData("//Place")]
    [InlineData("/a/b/c")]
    public void A_path_that_is_none_is_an_error_when_the_client_is_made(string path) =>
        FluentActions.Invoking(() => GrpcResilience.Standard("orders", new GrpcResilienceOptions().Idempotent(path)))
            .Should().Throw<ResilienceOptionsException>().WithMessage($"*Idempotent*{path}*");

    [Fact]
    public void What_the_proto_declares_is_read_without_reflection() =>
        new GrpcResilienceOptions().Idempotent(Orders.Descriptor).IdempotentMethods.Should()
            .BeEquivalentTo(["/shop.Orders/Get", "/shop.Orders/Put", "/shop.Orders/Watch"]);

    [Fact]
    public async Task A_caller_who_cancels_ends_the_call_and_nothing_is_counted()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = Hanging(server);
        GrpcResilience resilience = GrpcResilience.Standard("orders", Options());
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        using CancellationTokenSource stop = new();
        AsyncUnaryCall<Receipt> call = client.GetAsync(plan.Order, cancellationToken: stop.Token);
        await plan.Come.Task.WaitAsync(Bound);
        await stop.CancelAsync();
        RpcException failed = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync.WaitAsync(Bound));
        failed.StatusCode.Should().Be(StatusCode.Cancelled);
        call.GetStatus().StatusCode.Should().Be(StatusCode.Cancelled);
        plan.Requests.Should().Be(1);
        resilience.Own.CircuitBreaker!.TakeSnapshot().Failures.Should().Be(0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_cancels_while_the_call_waits_gets_what_the_channel_throws(bool throwsCancellation)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel(o => o.ThrowOperationCanceledOnCancellation = throwsCancellation);
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
        using CancellationTokenSource stop = new();
        Orders.OrdersClient client = Client(channel, Options(o =>
        {
            o.ThrowOperationCanceledOnCancellation = throwsCancellation;
            o.Retry = new() { BaseDelay = TimeSpan.FromSeconds(20), MaxDelay = TimeSpan.FromSeconds(20), Jitter = BackoffJitter.None, OnRetry = (_, _) => stop.CancelAfter(1) };
        }));
        Task<Receipt> response = client.GetAsync(plan.Order, cancellationToken: stop.Token).ResponseAsync;
        if (throwsCancellation) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => response.WaitAsync(Bound));
        else (await Assert.ThrowsAsync<RpcException>(() => response.WaitAsync(Bound))).StatusCode.Should().Be(StatusCode.Cancelled);
        response.IsCanceled.Should().Be(throwsCancellation);
        plan.Requests.Should().Be(1);
    }

    [Fact]
    public async Task Disposing_of_a_call_cancels_it_and_nothing_is_repeated_or_counted()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        TaskCompletionSource cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        OrderPlan plan = server.Plan(async (_, context) =>
        {
            context.CancellationToken.Register(() => cancelled.TrySetResult());
            await server.Find(context.RequestHeaders.GetValue("id")!).Hang(context);
            return 1;
        });
        GrpcResilience resilience = GrpcResilience.Standard("orders", Options());
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        AsyncUnaryCall<Receipt> call = client.GetAsync(plan.Order, new Metadata { { "id", plan.Id } });
        await plan.Come.Task.WaitAsync(Bound);
        call.Dispose();
        RpcException failed = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync.WaitAsync(Bound));
        failed.StatusCode.Should().Be(StatusCode.Cancelled);
        call.GetStatus().StatusCode.Should().Be(StatusCode.Cancelled);
        await cancelled.Task.WaitAsync(Bound);
        plan.Requests.Should().Be(1);
        resilience.Own.CircuitBreaker!.TakeSnapshot().Failures.Should().Be(0);
        call.Dispose();
    }

    [Fact]
    public async Task Disposing_of_a_call_that_waits_ends_it_at_once()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Orders.OrdersClient client = Client(channel, Options(o => o.Retry = new()
        {
            BaseDelay = TimeSpan.FromHours(1),
            MaxDelay = TimeSpan.FromHours(1),
            Jitter = BackoffJitter.None,
            OnRetry = (_, _) => waits.TrySetResult(),
        }).With(o => o.TotalTimeout = TimeSpan.FromHours(2)));
        AsyncUnaryCall<Receipt> call = client.GetAsync(plan.Order);
        await waits.Task.WaitAsync(Bound);
        call.Dispose();
        (await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync.WaitAsync(Bound))).StatusCode.Should().Be(StatusCode.Cancelled);
    }

    /// <summary>Nothing listens there: the attempts are counted inside of ours, because no server can. The channel connects, or the transport does.</summary>
    [Theory]
    [InlineData(true, false, false, 4)]
    [InlineData(false, false, false, 4)]
    [InlineData(true, true, false, 4)]
    [InlineData(false, true, false, 1)]
    [InlineData(true, true, true, 4)]
    [InlineData(false, true, true, 4)]
    public async Task No_connection_is_repeated_for_every_method_where_it_was_seen_that_nothing_was_sent(
        bool isIdempotent, bool transportConnects, bool hasWitness, int attempts)
    {
        using ClosedPort closed = new();
        SocketsHttpHandler transport = transportConnects ? Transports.Connecting() : new();
        using GrpcChannel channel = GrpcChannel.ForAddress(closed.Address, new() { HttpHandler = hasWitness ? new GrpcTransportWitness(transport) : transport });
        int made = 0;
        GrpcResilience resilience = GrpcResilience.Standard("orders", Options());
        Orders.OrdersClient client = new(channel.Intercept(new Counting(() => made++)).Intercept(new ResilienceInterceptor(resilience)));
        Order order = new() { Id = "1" };
        RpcException failed = await Assert.ThrowsAsync<RpcException>(() => (isIdempotent ? client.GetAsync(order) : client.PlaceAsync(order)).ResponseAsync.WaitAsync(Bound));
        failed.StatusCode.Should().Be(StatusCode.Unavailable);
        made.Should().Be(attempts);
        resilience.Own.CircuitBreaker!.TakeSnapshot().Failures.Should().Be(attempts);
    }

    /// <summary>A handler above the witness that sends twice: the second time there is no connection, and the first time the server has got it.</summary>
    [Fact]
    public async Task A_request_that_was_sent_before_is_not_taken_for_unsent()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        OrderPlan plan = server.Plan(n => n + 1);
        int made = 0;
        using GrpcChannel channel = server.NewChannel(o => o.HttpHandler = new SendsTwice { InnerHandler = new GrpcTransportWitness(Transports.Connecting()) });
        Orders.OrdersClient client = new(channel.Intercept(new Counting(() => made++)).Intercept(new ResilienceInterceptor(GrpcResilience.Standard("orders", Options()))));
        RpcException failed = await Assert.ThrowsAsync<RpcException>(() => client.PlaceAsync(plan.Order).ResponseAsync.WaitAsync(Bound));
        failed.StatusCode.Should().Be(StatusCode.Unavailable);
        (made, plan.Requests).Should().Be((1, 1));
    }

    /// <summary>A connection that breaks after the request was sent: the transport's error, and what the server did is unknown.</summary>
    [Theory]
    [InlineData(true, 4)]
    [InlineData(false, 1)]
    public async Task A_connection_that_breaks_is_repeated_for_idempotent_methods_and_counts(bool isIdempotent, int requests)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel(o => o.HttpHandler = new GrpcTransportWitness(new SocketsHttpHandler()));
        OrderPlan plan = server.Plan(async (_, context) =>
        {
            context.GetHttpContext().Abort();
            await Task.Yield();
            throw Failure();
        });
        GrpcResilience resilience = GrpcResilience.Standard("orders", Options());
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        await Assert.ThrowsAsync<RpcException>(() => (isIdempotent ? client.GetAsync(plan.Order) : client.PlaceAsync(plan.Order)).ResponseAsync.WaitAsync(Bound));
        plan.Requests.Should().Be(requests);
        resilience.Own.CircuitBreaker!.TakeSnapshot().Failures.Should().Be(requests);
    }

    [Fact]
    public async Task A_pipeline_around_does_not_repeat_what_the_server_does_not_want_again()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan forbidden = server.PlanFailure(StatusCode.Unavailable, new() { { "grpc-retry-pushback-ms", "-1" } });
        Orders.OrdersClient client = Client(channel);
        ResiliencePipeline around = new ResiliencePipelineBuilder().AddRetry(new RetryOptions { MaxRetries = 2, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero }).Build();
        await Assert.ThrowsAsync<RpcException>(async () => await around.ExecuteAsync(async token => await client.GetAsync(forbidden.Order, cancellationToken: token)));
        forbidden.Requests.Should().Be(1);
    }

    /// <summary>A pushback takes the place of the wait, to the millisecond, and after it the backoff begins anew.</summary>
    [Fact]
    public async Task A_pushback_is_waited_for_exactly_and_the_next_wait_is_the_first_again()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan((n, context) =>
        {
            if (n == 2) context.ResponseTrailers.Add("grpc-retry-pushback-ms", "7");
            throw Failure();
        });
        ConcurrentQueue<double> waits = [];
        Orders.OrdersClient client = Client(channel, Options(o => o.Retry = new()
        {
            MaxRetries = 5,
            BaseDelay = TimeSpan.FromMilliseconds(10),
            Jitter = BackoffJitter.None,
            OnRetry = (_, wait) => waits.Enqueue(wait.TotalMilliseconds),
        }));
        await Assert.ThrowsAsync<RpcException>(() => client.GetAsync(plan.Order).ResponseAsync.WaitAsync(Bound));
        waits.Should().Equal(10, 20, 7, 10, 20);
    }

    [Fact]
    public async Task A_pushback_beyond_what_is_accepted_ends_the_call()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable, new() { { "grpc-retry-pushback-ms", "600000" } });
        (await Assert.ThrowsAsync<RpcException>(() => Client(channel).GetAsync(plan.Order).ResponseAsync.WaitAsync(Bound))).StatusCode.Should().Be(StatusCode.Unavailable);
        plan.Requests.Should().Be(1);
    }

    [Fact]
    public async Task A_drop_of_the_load_balancer_is_never_repeated()
    {
        int made = 0;
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        Metadata dropped = new() { { "grpc-internal-drop-request", "True" }, { "grpc-retry-pushback-ms", "0" } };
        Orders.OrdersClient client = new(channel.Intercept(new Failing(() => made++, new(new(StatusCode.Unavailable, "drop"), dropped)))
            .Intercept(new ResilienceInterceptor(GrpcResilience.Standard("orders", Options()))));
        await Assert.ThrowsAsync<RpcException>(() => client.GetAsync(new Order { Id = "1" }).ResponseAsync.WaitAsync(Bound));
        made.Should().Be(1);
    }

    [Fact]
    public async Task A_limit_that_is_reached_is_RESOURCE_EXHAUSTED_and_a_rejection_to_pipelines_around()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan hanging = Hanging(server), other = server.Plan(n => n);
        Orders.OrdersClient client = Client(channel, Options(o => o.ConcurrencyLimit = new() { MaxConcurrent = 1 }));
        AsyncUnaryCall<Receipt> first = client.GetAsync(hanging.Order);
        await hanging.Come.Task.WaitAsync(Bound);
        GrpcResilienceException rejected = await Assert.ThrowsAsync<GrpcResilienceException>(() => client.GetAsync(other.Order).ResponseAsync.WaitAsync(Bound));
        rejected.StatusCode.Should().Be(StatusCode.ResourceExhausted);
        OutcomeClassifier.Default.Classify(rejected, callCancelled: false).Should().Be(Verdict.Rejected);
        GrpcClassifier.Default.Classify(rejected, callCancelled: false).Should().Be(Verdict.Rejected);
        hanging.Release();
        await first.ResponseAsync.WaitAsync(Bound);
        other.Requests.Should().Be(0);
    }

    [Fact]
    public async Task Partitions_have_circuits_of_their_own_and_are_asked_for_once_for_each_method()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        ConcurrentQueue<string> asked = [];
        GrpcResilience resilience = GrpcResilience.Standard("orders", Options(o => o.PartitionBy = method =>
        {
            asked.Enqueue(method.Name);
            return method.Name == "Put" ? throw new InvalidOperationException("planned") : method.Name;
        }), target: "shop:443");
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        OrderPlan plan = server.Plan(n => n);
        for (int i = 0; i < 3; i++)
        {
            await client.GetAsync(plan.Order);
            await client.PlaceAsync(plan.Order);
            await client.PutAsync(plan.Order);
        }

        asked.Should().BeEquivalentTo(["Get", "Place", "Put"]);
        resilience.Targets.Select(t => t.Pipeline.Name).Should().BeEquivalentTo(["orders/shop:443", "orders/Get", "orders/Place", "orders"]);
        resilience.Targets.Single(t => t.Name == "Get").CircuitBreaker!.TakeSnapshot().Calls.Should().Be(3);
    }

    [Fact]
    public async Task Targets_beyond_the_bound_share_one()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        GrpcResilience resilience = GrpcResilience.Standard("orders", Options(o => (o.MaxTargets, o.PartitionBy) = (2, m => m.Name)));
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        OrderPlan plan = server.Plan(n => n);
        await client.GetAsync(plan.Order);
        await client.PlaceAsync(plan.Order);
        await client.PutAsync(plan.Order);
        resilience.Targets.Select(t => t.Name).Should().BeEquivalentTo(["", "Get", "*"]);
        resilience.Overflow.CircuitBreaker!.TakeSnapshot().Calls.Should().Be(2);
    }

    [Fact]
    public async Task An_update_keeps_the_circuit_and_changes_the_retries()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        GrpcResilience resilience = GrpcResilience.Standard("orders", Options());
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
        await Assert.ThrowsAsync<RpcException>(() => client.GetAsync(plan.Order).ResponseAsync);
        CircuitBreaker before = resilience.Own.CircuitBreaker!;
        resilience.Update(Options(o => o.Retry = null));
        await Assert.ThrowsAsync<RpcException>(() => client.GetAsync(plan.Order).ResponseAsync);
        plan.Requests.Should().Be(4 + 1);
        resilience.Own.CircuitBreaker.Should().BeSameAs(before);
        before.TakeSnapshot().Failures.Should().Be(5);
        FluentActions.Invoking(() => resilience.Update(new() { MaxTargets = 0, TotalTimeout = TimeSpan.Zero })).Should().Throw<ResilienceOptionsException>()
            .Which.Problems.Should().HaveCountGreaterThan(1);
    }

    [Fact]
    public void Everything_that_is_wrong_with_the_options_is_said_at_once() =>
        FluentActions.Invoking(() => GrpcResilience.Standard("orders", new()
        {
            TotalTimeout = TimeSpan.FromDays(2),
            Retry = new() { MaxRetries = -7 },
            StreamIdleTimeout = TimeSpan.Zero,
            IdempotencyHeader = "Not Lower",
            MaxTargets = 0,
        })).Should().Throw<ResilienceOptionsException>().Which.Problems.Should().HaveCount(5);

    private static OrderPlan Hanging(OrdersServer server)
    {
        OrderPlan? plan = null;
        plan = server.Plan(async (_, context) =>
        {
            await plan!.Hang(context);
            return 1;
        });
        return plan;
    }

    private sealed class SendsTwice : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            using HttpResponseMessage first = await base.SendAsync(request, cancellationToken);
            await first.Content.ReadAsByteArrayAsync(cancellationToken);
            using ClosedPort closed = new();
            request.RequestUri = closed.Address;
            return await base.SendAsync(request, cancellationToken);
        }
    }
}

using System.Collections.Concurrent;
using System.Threading.Channels;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Resilience.Tests.Streams;

/// <summary>Streams of all kinds over a real server.</summary>
public sealed class StreamTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private static GrpcResilienceOptions Options(Action<GrpcResilienceOptions>? change = null)
    {
        GrpcResilienceOptions options = new() { Retry = new() { MaxRetries = 1, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero, RetryAfterJitter = 0 } };
        options.Idempotent(Orders.Descriptor);
        change?.Invoke(options);
        return options;
    }

    private static (Orders.OrdersClient Client, GrpcResilience Resilience) Client(GrpcChannel channel, GrpcResilienceOptions? options = null)
    {
        GrpcResilience resilience = GrpcResilience.Standard("orders", options ?? Options());
        return (new(channel.Intercept(new ResilienceInterceptor(resilience))), resilience);
    }

    private static RpcException Failure(StatusCode code = StatusCode.Unavailable) => new(new(code, "planned"));

    private static async Task<List<int>> ReadAsync(IAsyncStreamReader<Receipt> reader)
    {
        List<int> numbers = [];
        while (await reader.MoveNext(default).WaitAsync(Bound)) numbers.Add(reader.Current.Number);
        return numbers;
    }

    private static (int Calls, int Failures) Circuit(GrpcResilience resilience)
    {
        CircuitSnapshot seen = resilience.Own.CircuitBreaker!.TakeSnapshot();
        return (seen.Calls, seen.Failures);
    }

    /// <summary>Planted beside each other: two attempts where it fails before the first message, one where it fails after it.</summary>
    [Theory]
    [InlineData(true, 0, 2, 1)]
    [InlineData(true, 1, 1, 1)]
    [InlineData(true, 3, 1, 1)]
    [InlineData(false, 0, 1, 1)]
    [InlineData(false, 2, 1, 1)]
    public async Task A_server_stream_is_repeated_until_its_first_message(bool isIdempotent, int failsAfter, int requests, int failures)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.PlanStream(async (n, _, writer, _) =>
        {
            for (int i = 0; i < failsAfter; i++) await writer.WriteAsync(new() { Number = i });
            if (n == 0) throw Failure();
            await writer.WriteAsync(new() { Number = 100 });
        });
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel);
        List<int> seen = [];
        using AsyncServerStreamingCall<Receipt> call = isIdempotent ? client.Watch(plan.Order) : client.Follow(plan.Order);
        if (requests == 2) (await ReadAsync(call.ResponseStream)).Should().Equal(100);
        else
        {
            for (int i = 0; i < failsAfter; i++)
            {
                (await call.ResponseStream.MoveNext(default).WaitAsync(Bound)).Should().BeTrue();
                seen.Add(call.ResponseStream.Current.Number);
            }

            RpcException failed = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(default).WaitAsync(Bound));
            failed.StatusCode.Should().Be(StatusCode.Unavailable);
            seen.Should().Equal(Enumerable.Range(0, failsAfter), "what was received before stays received");
        }

        plan.Requests.Should().Be(requests);
        Circuit(resilience).Failures.Should().Be(failures);
        if (failsAfter > 0) Circuit(resilience).Calls.Should().Be(2, "the first message was a success, the break one more failed call");
        call.GetStatus().StatusCode.Should().Be(requests == 2 ? StatusCode.OK : StatusCode.Unavailable);
        if (requests == 2) plan.Headers.Select(h => h.GetValue("grpc-previous-rpc-attempts")).Should().Equal(null, "1");
    }

    [Fact]
    public async Task An_empty_stream_is_a_success()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel);
        using AsyncServerStreamingCall<Receipt> call = client.Watch(server.PlanStream((_, _, _, _) => Task.CompletedTask).Order);
        (await ReadAsync(call.ResponseStream)).Should().BeEmpty();
        Circuit(resilience).Should().Be((1, 0));
    }

    /// <summary>The server sends headers and then nothing: the caller gets them, and from then on there is one attempt.</summary>
    [Fact]
    public async Task Headers_that_the_caller_has_been_given_end_the_repeating()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        TaskCompletionSource fail = new(TaskCreationOptions.RunContinuationsAsynchronously);
        OrderPlan plan = server.PlanStream(async (n, _, _, context) =>
        {
            await context.WriteResponseHeadersAsync(new() { { "attempt", $"{n}" } });
            await fail.Task;
            throw Failure();
        });
        (Orders.OrdersClient client, _) = Client(channel);
        using AsyncServerStreamingCall<Receipt> call = client.Watch(plan.Order);
        (await call.ResponseHeadersAsync.WaitAsync(Bound)).GetValue("attempt").Should().Be("0");
        fail.SetResult();
        await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(default).WaitAsync(Bound));
        plan.Requests.Should().Be(1);
    }

    [Fact]
    public async Task A_stream_that_says_nothing_for_longer_than_the_timeouts_is_not_cut()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        TaskCompletionSource speak = new(TaskCreationOptions.RunContinuationsAsynchronously);
        OrderPlan plan = server.PlanStream(async (_, _, writer, _) =>
        {
            await speak.Task;
            await writer.WriteAsync(new() { Number = 7 });
        });
        (Orders.OrdersClient client, _) = Client(channel, Options(o => (o.TotalTimeout, o.AttemptTimeout) = (TimeSpan.FromMilliseconds(2), TimeSpan.FromMilliseconds(1))));
        using AsyncServerStreamingCall<Receipt> call = client.Watch(plan.Order);
        await plan.Come.Task.WaitAsync(Bound);
        Task<bool> first = call.ResponseStream.MoveNext(default);
        await Task.WhenAny(first, Task.Delay(200));
        first.IsCompleted.Should().BeFalse("the timeouts of unary calls do not hold for it");
        speak.SetResult();
        (await first.WaitAsync(Bound)).Should().BeTrue();
        plan.Deadlines.Should().OnlyContain(d => d == DateTime.MaxValue, "the server is told no time that is not the caller's");
    }

    [Fact]
    public async Task The_limit_of_the_first_message_repeats_a_stream_that_says_nothing_and_does_not_cut_one_that_has_begun()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        TaskCompletionSource go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        OrderPlan plan = server.PlanStream(async (n, _, writer, context) =>
        {
            if (n == 0) await Task.Delay(Timeout.Infinite, context.CancellationToken);
            await writer.WriteAsync(new() { Number = 1 });
            await go.Task;
            await writer.WriteAsync(new() { Number = 2 });
        });
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel, Options(o => o.FirstMessageTimeout = TimeSpan.FromMilliseconds(400)));
        using AsyncServerStreamingCall<Receipt> call = client.Watch(plan.Order);
        (await call.ResponseStream.MoveNext(default).WaitAsync(Bound)).Should().BeTrue();
        await Task.Delay(600); // longer than the limit: a stream that has begun must outlast it
        go.SetResult();
        (await ReadAsync(call.ResponseStream)).Should().Equal(2);
        plan.Requests.Should().Be(2);
        Circuit(resilience).Failures.Should().Be(1);
    }

    [Fact]
    public async Task A_stream_that_falls_silent_ends_with_DEADLINE_EXCEEDED_and_counts()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        TaskCompletionSource cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        OrderPlan plan = server.PlanStream(async (_, _, writer, context) =>
        {
            context.CancellationToken.Register(() => cancelled.TrySetResult());
            await writer.WriteAsync(new() { Number = 1 });
            await cancelled.Task;
        });
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel, Options(o => o.StreamIdleTimeout = TimeSpan.FromMilliseconds(200)));
        using AsyncServerStreamingCall<Receipt> call = client.Watch(plan.Order);
        (await call.ResponseStream.MoveNext(default).WaitAsync(Bound)).Should().BeTrue();
        GrpcResilienceException silent = await Assert.ThrowsAsync<GrpcResilienceException>(() => call.ResponseStream.MoveNext(default).WaitAsync(Bound));
        (silent.StatusCode, silent.IsTimeout).Should().Be((StatusCode.DeadlineExceeded, true));
        await cancelled.Task.WaitAsync(Bound);
        Circuit(resilience).Should().Be((2, 1));
    }

    [Fact]
    public async Task Disposing_of_a_stream_cancels_it_and_counts_nothing()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        TaskCompletionSource cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        OrderPlan plan = server.PlanStream(async (_, _, _, context) =>
        {
            context.CancellationToken.Register(() => cancelled.TrySetResult());
            await cancelled.Task;
        });
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel);
        AsyncServerStreamingCall<Receipt> call = client.Watch(plan.Order);
        await plan.Come.Task.WaitAsync(Bound);
        call.Dispose();
        await cancelled.Task.WaitAsync(Bound);
        await Assert.ThrowsAnyAsync<Exception>(() => call.ResponseStream.MoveNext(default).WaitAsync(Bound));
        plan.Requests.Should().Be(1);
        Circuit(resilience).Failures.Should().Be(0);
    }

    [Fact]
    public async Task A_client_stream_is_sent_once_and_counted_at_its_end()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan good = server.PlanStream((_, reader, _, _) => Task.CompletedTask), bad = server.PlanStream((_, _, _, _) => throw Failure());
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel);
        using (AsyncClientStreamingCall<Order, Receipt> call = client.Upload(new Metadata { { "id", good.Id } }))
        {
            await call.RequestStream.WriteAsync(new Order { Id = "a" });
            await call.RequestStream.WriteAsync(new Order { Id = "b" });
            await call.RequestStream.CompleteAsync();
            (await call.ResponseAsync.WaitAsync(Bound)).Number.Should().Be(2);
            call.GetStatus().StatusCode.Should().Be(StatusCode.OK);
            await call.ResponseHeadersAsync.WaitAsync(Bound);
        }

        await Until(() => Circuit(resilience) == (1, 0));
        using AsyncClientStreamingCall<Order, Receipt> broken = client.Upload(new Metadata { { "id", bad.Id } });
        (await Assert.ThrowsAsync<RpcException>(() => broken.ResponseAsync.WaitAsync(Bound))).StatusCode.Should().Be(StatusCode.Unavailable);
        bad.Requests.Should().Be(1);
        await Until(() => Circuit(resilience) == (2, 1));
    }

    [Fact]
    public async Task A_duplex_stream_is_sent_once_and_counted_when_its_reader_has_come_to_the_end()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan good = server.PlanStream((_, _, _, _) => Task.CompletedTask), bad = server.PlanStream((_, _, _, _) => throw Failure(StatusCode.Internal));
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel);
        using (AsyncDuplexStreamingCall<Order, Receipt> call = client.Chat(new Metadata { { "id", good.Id } }))
        {
            await call.RequestStream.WriteAsync(new Order { Id = "a" });
            (await call.ResponseStream.MoveNext(default).WaitAsync(Bound)).Should().BeTrue();
            Circuit(resilience).Should().Be((0, 0), "it has not ended");
            await call.RequestStream.CompleteAsync();
            (await call.ResponseStream.MoveNext(default).WaitAsync(Bound)).Should().BeFalse();
        }

        await Until(() => Circuit(resilience) == (1, 0));
        using AsyncDuplexStreamingCall<Order, Receipt> broken = client.Chat(new Metadata { { "id", bad.Id } });
        (await Assert.ThrowsAsync<RpcException>(() => broken.ResponseStream.MoveNext(default).WaitAsync(Bound))).StatusCode.Should().Be(StatusCode.Internal);
        bad.Requests.Should().Be(1);
        await Until(() => Circuit(resilience) == (2, 1));
    }

    [Fact]
    public async Task A_stream_keeps_its_place_of_the_limit_and_gives_it_back_when_it_is_disposed_of()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.PlanStream((_, _, _, _) => Task.CompletedTask);
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel, Options(o => o.ConcurrencyLimit = new() { MaxConcurrent = 1 }));
        Metadata id = new() { { "id", plan.Id } };
        AsyncDuplexStreamingCall<Order, Receipt> first = client.Chat(id);
        using (AsyncDuplexStreamingCall<Order, Receipt> second = client.Chat(id))
        {
            GrpcResilienceException rejected = await Assert.ThrowsAsync<GrpcResilienceException>(() => second.RequestStream.WriteAsync(new Order()));
            rejected.StatusCode.Should().Be(StatusCode.ResourceExhausted);
            await Assert.ThrowsAsync<GrpcResilienceException>(() => second.ResponseStream.MoveNext(default));
            second.GetStatus().StatusCode.Should().Be(StatusCode.ResourceExhausted);
        }

        resilience.Own.ConcurrencyLimit!.Running.Should().Be(1);
        first.Dispose();
        await Until(() => resilience.Own.ConcurrencyLimit!.Running == 0);
        Circuit(resilience).Failures.Should().Be(0);
    }

    [Fact]
    public async Task An_open_circuit_rejects_streams_of_all_kinds()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel);
        resilience.Own.CircuitBreaker!.Isolate();
        await Assert.ThrowsAsync<GrpcResilienceException>(() => client.Watch(new Order()).ResponseStream.MoveNext(default).WaitAsync(Bound));
        await Assert.ThrowsAsync<GrpcResilienceException>(() => client.Watch(new Order()).ResponseHeadersAsync.WaitAsync(Bound));
        await Assert.ThrowsAsync<GrpcResilienceException>(() => client.Upload().ResponseAsync.WaitAsync(Bound));
        await Assert.ThrowsAsync<GrpcResilienceException>(() => client.Chat().ResponseStream.MoveNext(default).WaitAsync(Bound));
        await Assert.ThrowsAsync<GrpcResilienceException>(() => client.GetAsync(new Order()).ResponseAsync.WaitAsync(Bound));
    }

    /// <summary>The token of a host lives as long as the process: a stream that has ended must not hang on it.</summary>
    [Fact]
    public async Task Streams_that_have_ended_leave_nothing_at_the_callers_token()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan good = server.PlanStream((_, _, _, _) => Task.CompletedTask), bad = server.PlanStream((_, _, _, _) => throw Failure(StatusCode.Internal));
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel);
        using CancellationTokenSource host = new();
        List<WeakReference> calls = await EndAllAsync();
        await Until(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return calls.TrueForAll(c => !c.IsAlive);
        });
        GC.KeepAlive(host);

        async Task<List<WeakReference>> EndAllAsync()
        {
            List<WeakReference> ended = [];
            foreach (OrderPlan plan in new[] { good, bad })
            {
                AsyncServerStreamingCall<Receipt> watch = client.Watch(plan.Order, cancellationToken: host.Token);
                await Record.ExceptionAsync(() => ReadAsync(watch.ResponseStream));
                ended.Add(new(watch.ResponseStream));
                AsyncClientStreamingCall<Order, Receipt> upload = client.Upload(new Metadata { { "id", plan.Id } }, cancellationToken: host.Token);
                await Record.ExceptionAsync(() => upload.RequestStream.CompleteAsync());
                await Record.ExceptionAsync(() => upload.ResponseAsync.WaitAsync(Bound));
                ended.Add(new(upload.RequestStream));
                AsyncDuplexStreamingCall<Order, Receipt> chat = client.Chat(new Metadata { { "id", plan.Id } }, cancellationToken: host.Token);
                await Record.ExceptionAsync(() => chat.RequestStream.CompleteAsync());
                await Record.ExceptionAsync(() => ReadAsync(chat.ResponseStream));
                ended.Add(new(chat.RequestStream));
            }

            return ended;
        }
    }

    /// <summary>A slow first attempt of a method that is declared idempotent gets a second one beside it; another method does not.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_slow_call_is_hedged_if_its_method_is_declared_idempotent(bool isIdempotent)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        OrderPlan plan = server.Plan(async (n, context) =>
        {
            context.ResponseTrailers.Add("attempt", $"{n}");
            if (n == 0) await release.Task.WaitAsync(context.CancellationToken);
            return n;
        });
        ConcurrentQueue<ResilienceEvent> events = [];
        GrpcResilience resilience = GrpcResilience.Standard("orders", Options(o =>
        {
            o.Hedging = new() { Delay = TimeSpan.FromMilliseconds(20) };
            o.AcceptedWarnings.UnionWith(["RES011", "RES005"]);
        }), b => b.OnEvent(e =>
        {
            events.Enqueue(e);
            if (e is HedgeSkipped) release.TrySetResult();
        }));
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        using AsyncUnaryCall<Receipt> call = isIdempotent ? client.GetAsync(plan.Order) : client.PlaceAsync(plan.Order);
        int number = (await call.ResponseAsync.WaitAsync(Bound)).Number;
        plan.Requests.Should().Be(isIdempotent ? 2 : 1);
        number.Should().Be(isIdempotent ? 1 : 0);
        call.GetTrailers().GetValue("attempt").Should().Be($"{number}", "the trailers are those of the attempt that won");
        events.OfType<HedgeStarted>().Should().HaveCount(isIdempotent ? 1 : 0);
    }

    private static async Task Until(Func<bool> holds)
    {
        for (int i = 0; i < 6000 && !holds(); i++) await Task.Delay(10);
        holds().Should().BeTrue("it comes to that within a minute");
    }
}

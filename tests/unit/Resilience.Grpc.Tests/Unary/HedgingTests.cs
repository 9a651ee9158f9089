using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Resilience.Tests.Unary;

/// <summary>Attempts beside each other, over a real server: what a failure and a pushback of it do to the race.</summary>
public sealed class HedgingTests
{
    /// <summary>The delay of the hedging never passes here: a further attempt is one that a failure has started, or that the server has asked for.</summary>
    [Theory]
    [InlineData(StatusCode.Unavailable, null, 3)] // may be repeated: the next one at once
    [InlineData(StatusCode.Unavailable, "-1", 1)] // the server does not want it again
    [InlineData(StatusCode.Unavailable, "x", 1)]
    [InlineData(StatusCode.Unavailable, "5", 3)] // the next one exactly when the server says (gRFC A6), and not when the delay is over
    [InlineData(StatusCode.Unavailable, "0", 3)]
    [InlineData(StatusCode.InvalidArgument, null, 1)] // an answer
    [InlineData(StatusCode.InvalidArgument, "5", 3)]
    [InlineData(StatusCode.DataLoss, null, 1)] // never repeated: it ends the race
    [InlineData(StatusCode.ResourceExhausted, null, 1)]
    [InlineData(StatusCode.ResourceExhausted, "0", 3)]
    [InlineData(StatusCode.ResourceExhausted, "5", 3)]
    public async Task A_failure_starts_the_next_attempt_as_the_table_and_the_pushback_say(StatusCode code, string? pushback, int attempts)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        GrpcResilienceOptions options = new()
        {
            Retry = null,
            TotalTimeout = TimeSpan.FromHours(3),
            AttemptTimeout = TimeSpan.FromHours(2),
            Hedging = new() { MaxAttempts = 3, Delay = TimeSpan.FromHours(1), Budget = RetryBudget.Unlimited },
        };
        GrpcResilience resilience = GrpcResilience.Standard("orders", options.Idempotent(Orders.Descriptor));
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        OrderPlan plan = server.PlanFailure(code, pushback is null ? null : new() { { "grpc-retry-pushback-ms", pushback } });
        RpcException failed = await Assert.ThrowsAsync<RpcException>(() => client.GetAsync(plan.Order).ResponseAsync.WaitAsync(TimeSpan.FromMinutes(2)));
        failed.StatusCode.Should().Be(code);
        plan.Requests.Should().Be(attempts);
    }

    /// <summary>A pushback of one attempt says nothing of the one that is under way.</summary>
    [Fact]
    public async Task A_server_that_wants_no_more_leaves_the_attempt_that_is_under_way_to_win()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        TaskCompletionSource second = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        GrpcResilienceOptions options = new()
        {
            Retry = null,
            TotalTimeout = TimeSpan.FromHours(3),
            AttemptTimeout = TimeSpan.FromHours(2),
            Hedging = new() { MaxAttempts = 2, Delay = TimeSpan.FromMilliseconds(20), Budget = RetryBudget.Unlimited },
        };
        GrpcResilience resilience = GrpcResilience.Standard("orders", options.Idempotent(Orders.Descriptor));
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        OrderPlan plan = server.Plan(async (number, _) =>
        {
            if (number == 0)
            {
                await stopped.Task; // the first one, slow as it is, answers when the second has been rejected
                return 7;
            }

            second.TrySetResult();
            throw new RpcException(new(StatusCode.Unavailable, "planned"), new Metadata { { "grpc-retry-pushback-ms", "-1" } });
        });
        AsyncUnaryCall<Receipt> call = client.GetAsync(plan.Order);
        await second.Task.WaitAsync(TimeSpan.FromMinutes(2));
        stopped.SetResult();
        (await call.ResponseAsync.WaitAsync(TimeSpan.FromMinutes(2))).Number.Should().Be(7);
        plan.Requests.Should().Be(2);
    }
}

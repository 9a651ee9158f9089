using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Resilience.Tests.Unary;

/// <summary>What is known of a method is found out once for each generation of options.</summary>
public sealed class LearntMethodTests
{
    /// <summary>An update that comes while a method is looked at for the first time: what was found out of the former options is not kept.</summary>
    [Fact]
    public async Task What_was_learnt_of_options_that_are_replaced_meanwhile_is_learnt_anew()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        RetryOptions retry = new() { MaxRetries = 2, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero };
        GrpcResilience? resilience = null;
        resilience = GrpcResilience.Standard("orders", new()
        {
            Retry = retry,
            PartitionBy = method =>
            {
                resilience!.Update(new GrpcResilienceOptions { Retry = retry }.Idempotent(method.FullName));
                return "former";
            },
        });
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
        await Assert.ThrowsAsync<RpcException>(() => client.PlaceAsync(plan.Order).ResponseAsync);
        plan.Requests.Should().Be(3, "the options that hold now declare it idempotent");
        resilience.Own.CircuitBreaker!.TakeSnapshot().Failures.Should().Be(3, "and have no partitions");
    }
}

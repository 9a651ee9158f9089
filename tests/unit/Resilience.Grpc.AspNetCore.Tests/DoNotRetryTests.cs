using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Overload;

namespace Resilience.Tests;

/// <summary>Which errors of methods push their callers back for good.</summary>
public sealed class DoNotRetryTests
{
    private static readonly ResiliencePipeline Twice = new ResiliencePipelineBuilder()
        .AddRetry(new RetryOptions { MaxRetries = 1, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero, Budget = RetryBudget.Unlimited }).Build();

    private static async Task<Receipt> FailAsync(Order order, ServerCallContext context)
    {
        RpcException failure = new(new Status(StatusCode.Unavailable, "planned"));
        switch (order.Item)
        {
            case "gave up":
                return await Twice.ExecuteAsync<Receipt>(_ => throw failure, context.CancellationToken);
            case "recovered":
                await Twice.TryExecuteAsync<Receipt>(_ => throw failure, context.CancellationToken);
                return new() { Text = "well" };
            case "another":
                await Twice.TryExecuteAsync<Receipt>(_ => throw failure, context.CancellationToken);
                throw new RpcException(new Status(StatusCode.Unavailable, "another cause"));
            default:
                RequestContext.Current!.SetDoNotRetry();
                throw failure;
        }
    }

    [Theory]
    [InlineData("gave up", StatusCode.Unavailable, "-1")]
    [InlineData("another", StatusCode.Unavailable, null)]
    [InlineData("recovered", StatusCode.OK, null)]
    [InlineData("said", StatusCode.Unavailable, "-1")]
    public async Task An_error_that_a_call_of_the_method_gave_up_on_pushes_back(string item, StatusCode code, string? pushback)
    {
        Book book = new() { Answer = static (_, order, context) => FailAsync(order, context) };
        await using Shop shop = await Shop.OpenAsync(
            book, static _ => { }, static services => services.AddGrpc().AddRequestDeadlines().AddRequestDeadlines(),
            use: static app => app.UseRequestDeadlines());
        Reply reply = await shop.ChargeAsync(key: null, order: new() { Item = item });
        (reply.Code, reply.Pushback).Should().Be((code, pushback));
    }

    [Fact]
    public async Task A_method_has_the_deadline_of_its_caller()
    {
        Book book = new()
        {
            Answer = static (_, _, _) => Task.FromResult(new Receipt { Number = (int)RequestContext.Current!.RemainingTime!.Value.TotalMinutes }),
        };
        await using Shop shop = await Shop.OpenAsync(book, static _ => { }, use: static app => app.UseRequestDeadlines());
        Reply reply = await shop.ChargeAsync(key: null, options: new GrpcCallOptions(deadline: DateTime.UtcNow.AddMinutes(3.5)));
        reply.Receipt!.Number.Should().Be(3);
    }
}

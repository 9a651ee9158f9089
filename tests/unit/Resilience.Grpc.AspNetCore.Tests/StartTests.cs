using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience.Tests;

/// <summary>What stops the host at its start, which methods are protected, and where the interceptor stands.</summary>
public sealed class StartTests
{
    /// <summary>Streams by name, in every form that a method can have.</summary>
    [Theory]
    [InlineData("/shop.Till/Watch")]
    [InlineData("/shop.Till/Upload")]
    [InlineData("/shop.Till/Chat")]
    public async Task A_stream_that_is_to_require_a_key_stops_the_start(string path) =>
        (await MistakeAsync(Shop.Build(new(), o => o.RequireKey(Shop.Charge).RequireKey(path)))).Should().Contain(path).And.Contain("must be a unary method");

    [Fact]
    public async Task A_whole_service_means_its_unary_methods_and_its_streams_pass()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey("/shop.Till/*"));

        (await shop.ChargeAsync(key: null)).Problem.Should().Be("key-missing");
        using AsyncServerStreamingCall<Receipt> stream = shop.Client.Watch(new() { Item = "tea" });
        (await stream.ResponseStream.MoveNext(default).WaitAsync(Shop.Patience)).Should().BeTrue();
        stream.ResponseStream.Current.Text.Should().Be("tea");
    }

    [Fact]
    public async Task Mistakes_are_told_all_at_once()
    {
        string mistake = await MistakeAsync(Shop.Build(new(), o =>
        {
            o.RequireKey("/shop.Till/Chargee").RequireKey("/shop.Till/Watch").RequireKey(Shop.Charge);
            o.Gate = "nowhere";
        }));

        mistake.Should().Contain("/shop.Till/Chargee").And.Contain("must be a unary method").And.Contain("'nowhere'");
    }

    [Fact]
    public async Task Options_out_of_range_are_told_all_at_once()
    {
        string mistake = await MistakeAsync(Shop.Build(new(), o =>
        {
            o.RequireKey("Charge").IdempotencyHeader = "Key-bin";
            o.MaxResponseBytes = -1;
            o.Lease = TimeSpan.Zero;
            o.Statuses[(StatusCode)99] = (IdempotencyDisposition)9;
        }));

        mistake.Should().Contain("RequireKey").And.Contain("IdempotencyHeader").And.Contain("MaxResponseBytes").And.Contain("Lease").And.Contain("Statuses");
    }

    [Fact]
    public async Task A_service_without_a_gate_does_not_start()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(new Book());
        builder.Services.AddGrpc().AddIdempotency(o => o.RequireKey(Shop.Charge).AllowSharedScope = true);
        WebApplication app = builder.Build();
        app.MapGrpcService<TillService>();

        (await MistakeAsync(app)).Should().Contain("AddIdempotency()");
    }

    [Fact]
    public async Task A_method_that_any_caller_can_call_does_not_start_without_a_word_on_its_scope()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(new Book());
        builder.Services.AddGrpc().AddIdempotency(o => o.RequireKey(Shop.Charge));
        builder.Services.AddIdempotency();
        WebApplication app = builder.Build();
        app.MapGrpcService<TillService>();

        (await MistakeAsync(app)).Should().Contain("ScopeFor").And.Contain("AllowSharedScope");
    }

    [Fact]
    public async Task A_method_with_the_attribute_and_no_interceptor_does_not_start()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(new Book());
        builder.Services.AddGrpc();
        builder.Services.AddIdempotency().AddEndpoints(o => o.AllowSharedScope = true);
        WebApplication app = builder.Build();
        app.MapGrpcService<MarkedService>();

        (await MistakeAsync(app)).Should().Contain("shop.Marked/Charge").And.Contain("Resilience.Grpc.AspNetCore");
    }

    [Fact]
    public async Task A_method_says_by_the_attribute_that_it_requires_a_key_and_how_and_the_middleware_of_http_leaves_it_alone()
    {
        Book book = new();
        book.Answer = async (number, _, _) =>
        {
            await book.Gate.Task;
            return new() { Number = number };
        };
        await using Shop shop = await Shop.OpenAsync(book, _ => { }, use: app =>
        {
            app.UseAuthentication();
            app.UseIdempotency();
            app.MapGrpcService<MarkedService>();
        });
        Marked.MarkedClient client = new(shop.Channel);
        Task<Reply> first = Shop.CallAsync((o, c) => client.ChargeAsync(o, c));
        await book.Begun.Task.WaitAsync(Shop.Patience);

        (await Shop.CallAsync((o, c) => client.ChargeAsync(o, c))).Problem.Should().Be("in-flight", "the attribute says that nothing waits");
        book.Gate.SetResult();
        (await first).Receipt!.Number.Should().Be(1);
        (await Shop.CallAsync((o, c) => client.ChargeAsync(o, c))).Should().Match<Reply>(r => r.IsReplayed && r.Receipt!.Number == 1);
        (await Shop.CallAsync((o, c) => client.LookAsync(o, c))).Receipt!.Number.Should().Be(2, "it has no attribute");
    }

    [Fact]
    public async Task Interceptors_of_all_services_stand_around_it_wherever_they_are_added_and_those_of_one_service_inside()
    {
        Book book = new();
        Calls outside = new(), inside = new();
        await using Shop shop = await Shop.OpenAsync(book, services: s =>
        {
            s.AddKeyedSingleton("outside", outside);
            s.AddKeyedSingleton("inside", inside);
            s.AddGrpc(o => o.Interceptors.Add<Counting>("outside")).AddServiceOptions<TillService>(o => o.Interceptors.Add<Counting>("inside"));
        });

        await shop.ChargeAsync();
        await shop.ChargeAsync();

        outside.Count.Should().Be(2, "authorization in an interceptor sees each call");
        inside.Count.Should().Be(1);
    }

    private static async Task<string> MistakeAsync(WebApplication app)
    {
        await using (app)
            return (await app.Invoking(a => a.StartAsync()).Should().ThrowAsync<ResilienceOptionsException>()).Which.Message;
    }

    private sealed class Calls
    {
        internal int Count;
    }

    private sealed class Counting(IServiceProvider services, string place) : Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            Interlocked.Increment(ref services.GetRequiredKeyedService<Calls>(place).Count);
            return continuation(request, context);
        }
    }
}

using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Refit;
using Resilience.Tests.Http.Wire;

namespace Resilience.Tests.Http.Clients;

/// <summary>Clients that others make (Refit, gRPC, plain) work unchanged.</summary>
public sealed class ForeignClientsTests
{
    private static void Fast(StandardResilienceOptions options) => options.Retry!.BaseDelay = options.Retry.MaxDelay = TimeSpan.Zero;

    [Fact]
    public async Task A_client_made_by_refit_is_retried_and_gets_its_answer()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) =>
        {
            if (n < 2) return WireServer.Status(c, 503);
            c.Response.ContentType = "application/json";
            return Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(c.Response, """{ "item": "book", "cents": 1999 }""");
        });
        await using ServiceProvider services = new ServiceCollection().AddRefitGeneratedClient<IShopApi>()
            .ConfigureHttpClient(c => c.BaseAddress = server.Address).AddIdempotencyKey().AddStandardResilience(Fast).Services.BuildServiceProvider();
        Price price = await services.GetRequiredService<IShopApi>().PriceAsync("book");
        price.Should().Be(new Price("book", 1999));
        server.Count.Should().Be(3);

        (await services.GetRequiredService<IShopApi>().BuyAsync(new("lamp", 1))).Item.Should().Be("book");
        server.Requests[^1].Headers["Idempotency-Key"].Should().HaveLength(36);
    }

    [Fact]
    public async Task A_post_of_refit_with_a_key_is_repeated_with_equal_bytes_after_a_lost_reply()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) =>
        {
            if (n == 0)
            {
                c.Abort();
                return Task.CompletedTask;
            }

            c.Response.ContentType = "application/json";
            return Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(c.Response, """{ "item": "lamp", "cents": 1 }""");
        });
        await using ServiceProvider services = new ServiceCollection().AddRefitGeneratedClient<IShopApi>()
            .ConfigureHttpClient(c => c.BaseAddress = server.Address).AddIdempotencyKey().AddStandardResilience(Fast).Services.BuildServiceProvider();
        (await services.GetRequiredService<IShopApi>().BuyAsync(new("lamp", 1))).Item.Should().Be("lamp");
        server.Requests.Should().HaveCount(2);
        server.Requests[1].Body.Should().Equal(server.Requests[0].Body).And.NotBeEmpty();
        server.Requests.Select(r => r.Headers["Idempotency-Key"]).Distinct().Should().ContainSingle();
    }

    [Fact]
    public async Task A_plain_named_client_is_retried()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n == 0 ? 503 : 204));
        await using ServiceProvider services = new ServiceCollection().AddHttpClient("plain", c => c.BaseAddress = server.Address)
            .AddStandardResilience(Fast).Services.BuildServiceProvider();
        using HttpResponseMessage response = await services.GetRequiredService<IHttpClientFactory>().CreateClient("plain").DeleteAsync("/orders/1");
        response.StatusCode.Should().Be(HttpStatusCode.NoContent);
        server.Requests.Select(r => $"{r.Method} {r.Path}").Should().Equal("DELETE /orders/1", "DELETE /orders/1");
    }

    [Fact]
    public async Task A_grpc_client_keeps_its_own_semantics()
    {
        FakeTimeProvider time = new();
        ShopService shop = new();
        await using WebApplication app = await StartAsync(shop);
        await using ServiceProvider services = Client(app, time, _ => { });
        Shop.ShopClient client = services.GetRequiredService<Shop.ShopClient>();

        (await client.BuyAsync(new BuyRequest { Item = "book" })).Number.Should().Be(1);
        RpcException failed = (await client.Invoking(c => c.BuyAsync(new BuyRequest { Item = "broken" }).ResponseAsync).Should().ThrowAsync<RpcException>())
            .Which;
        failed.StatusCode.Should().Be(StatusCode.Unavailable, "a status of gRPC comes in trailers, and is not HTTP's business");
        shop.Calls.Should().Be(2);

        using CancellationTokenSource stop = new();
        Task<BuyReply> stalled = client.BuyAsync(new BuyRequest { Item = "stall" }, cancellationToken: stop.Token).ResponseAsync;
        await shop.Stalled.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await stop.CancelAsync();
        (await FluentActions.Awaiting(() => stalled.WaitAsync(TimeSpan.FromSeconds(30))).Should().ThrowAsync<RpcException>())
            .Which.StatusCode.Should().Be(StatusCode.Cancelled);
        (await client.Invoking(c => c.BuyAsync(new BuyRequest { Item = "slow" }, deadline: DateTime.UtcNow.AddMilliseconds(200)).ResponseAsync)
            .Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.DeadlineExceeded);
        shop.Calls.Should().BeInRange(3, 4, "on a busy machine the deadline may pass before the call is sent; it is never sent twice");
    }

    [Fact]
    public async Task A_grpc_stream_is_not_cut_by_the_timeouts()
    {
        FakeTimeProvider time = new();
        ShopService shop = new();
        await using WebApplication app = await StartAsync(shop);
        await using ServiceProvider services = Client(app, time, _ => { });
        using AsyncServerStreamingCall<BuyReply> call = services.GetRequiredService<Shop.ShopClient>().Watch(new BuyRequest { Item = "all" });
        for (int i = 1; i <= 3; i++)
        {
            shop.Next.Writer.TryWrite(i);
            (await call.ResponseStream.MoveNext(default).WaitAsync(TimeSpan.FromSeconds(30))).Should().BeTrue();
            call.ResponseStream.Current.Number.Should().Be(i);
            time.Advance(TimeSpan.FromHours(1));
        }

        shop.Next.Writer.Complete();
        (await call.ResponseStream.MoveNext(default).WaitAsync(TimeSpan.FromSeconds(30))).Should().BeFalse();
    }

    [Fact]
    public async Task A_grpc_call_passes_through_the_defaults_uncounted_and_the_log_says_so_once()
    {
        ShopService shop = new();
        await using WebApplication app = await StartAsync(shop);
        FakeLogCollector logs = new();
        int failed = 0;
        await using ServiceProvider services = Client(app, new FakeTimeProvider(), b =>
        {
            b.Services.AddLogging(l => l.AddProvider(new FakeLoggerProvider(logs)));
            b.ConfigurePrimaryHttpMessageHandler(() => new Rejecting(() => failed++ < 1) { InnerHandler = new SocketsHttpHandler() });
        });
        Shop.ShopClient client = services.GetRequiredService<Shop.ShopClient>();
        await client.Invoking(c => c.BuyAsync(new BuyRequest { Item = "book" }).ResponseAsync).Should().ThrowAsync<RpcException>();
        failed.Should().Be(1, "what to repeat is not for HTTP to say");
        for (int i = 0; i < 3; i++) await client.BuyAsync(new BuyRequest { Item = "book" });
        services.GetRequiredService<HttpResilienceProvider>().GetResilience("ShopClient").Authorities.Should().BeEmpty("nothing was counted");
        shop.Headers.Should().OnlyContain(h => h.GetValue("idempotency-key") == null, "each attempt would have another");
        logs.GetSnapshot().Where(l => l.Id.Name == "GrpcPassesThrough").Should().ContainSingle().Which.Message.Should().Contain("ShopClient")
            .And.Contain("AddGrpcResilience");
    }

    /// <summary>What is not gRPC passes the pipeline, also where it looks like it.</summary>
    [Theory]
    [InlineData("application/grpc", 2, true)]
    [InlineData("application/grpc+proto", 2, true)]
    [InlineData("application/grpc-web", 2, true)]
    [InlineData("application/json", 2, false)]
    [InlineData("application/grpc", 1, false)]
    public void A_request_of_grpc_is_known_by_its_content(string type, int version, bool isOne)
    {
        using HttpRequestMessage request = new(HttpMethod.Post,
            "http://shop/")
        { Version = new(version, version == 1 ? 1 : 0), Content = new ByteArrayContent([]) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        GrpcRequests.IsOne(request).Should().Be(isOne);
        request.Method = HttpMethod.Put;
        GrpcRequests.IsOne(request).Should().BeFalse();
    }

    [Theory]
    [InlineData("standard", true)]
    [InlineData("custom", true)]
    [InlineData("removed", false)]
    [InlineData("defaults", false)]
    public void A_pipeline_of_http_on_a_grpc_client_is_an_error_at_start_that_names_the_right_word(string how, bool isError)
    {
        ServiceCollection services = new();
        if (how == "defaults") services.ConfigureHttpClientDefaults(d => d.AddStandardResilience());
        IHttpClientBuilder builder = services.AddGrpcClient<Shop.ShopClient>(o => o.Address = new("http://127.0.0.1:1"));
        if (how is "standard" or "removed") builder.AddStandardResilience();
        if (how == "custom") builder.AddResilience(p => p.AddRetry());
        if (how == "removed") builder.RemoveResilience();
        using ServiceProvider provider = services.AddLogging().BuildServiceProvider();
        if (!isError)
        {
            Start();
            provider.GetRequiredService<Shop.ShopClient>();
            return;
        }

        FluentActions.Invoking(Start).Should().Throw<OptionsValidationException>().WithMessage("*ShopClient*AddGrpcResilience()*Resilience.Grpc*");
        provider.Invoking(p => p.GetRequiredService<Shop.ShopClient>()).Should().Throw<InvalidOperationException>().WithMessage("*AddGrpcResilience()*");

        void Start() => provider.GetRequiredService<IStartupValidator>().Validate();
    }

    private static ServiceProvider Client(WebApplication app, TimeProvider time, Action<IHttpClientBuilder> more)
    {
        ServiceCollection services = new();
        services.AddSingleton(time).AddLogging();
        services.ConfigureHttpClientDefaults(defaults => defaults.AddStandardResilience(Fast).AddIdempotencyKey()); // as a template of service defaults does
        IHttpClientBuilder builder = services.AddGrpcClient<Shop.ShopClient>(o => o.Address = new(app.Urls.First()));
        more(builder);
        return services.BuildServiceProvider();
    }

    private static async Task<WebApplication> StartAsync(ShopService shop)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(shop);
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        WebApplication app = builder.Build();
        app.MapGrpcService<ShopService>();
        await app.StartAsync();
        return app;
    }

    internal sealed class ShopService : Shop.ShopBase
    {
        private int _calls;

        internal int Calls => Volatile.Read(ref _calls);

        internal System.Collections.Concurrent.ConcurrentQueue<Metadata> Headers { get; } = [];

        internal TaskCompletionSource Stalled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal System.Threading.Channels.Channel<int> Next { get; } = System.Threading.Channels.Channel.CreateUnbounded<int>();

        public override async Task<BuyReply> Buy(BuyRequest request, ServerCallContext context)
        {
            Headers.Enqueue(context.RequestHeaders);
            int number = Interlocked.Increment(ref _calls);
            if (request.Item == "broken") throw new RpcException(new(StatusCode.Unavailable, "broken"));
            if (request.Item is "stall" or "slow")
            {
                Stalled.TrySetResult();
                await Task.Delay(TimeSpan.FromMinutes(1), context.CancellationToken);
            }

            return new() { Number = number };
        }

        public override async Task Watch(BuyRequest request, IServerStreamWriter<BuyReply> responseStream, ServerCallContext context)
        {
            await foreach (int number in Next.Reader.ReadAllAsync(context.CancellationToken)) await responseStream.WriteAsync(new() { Number = number });
        }
    }

    private sealed class Rejecting(Func<bool> rejects) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            rejects() ? throw new HttpRequestException(HttpRequestError.ConnectionError) : base.SendAsync(request, cancellationToken);
    }
}

/// <summary>An ordinary interface for Refit.</summary>
public interface IShopApi
{
    [Get("/prices/{item}")]
    Task<Price> PriceAsync(string item);

    [Post("/orders")]
    Task<Price> BuyAsync([Body] Price order);
}

public sealed record Price(string Item, int Cents);

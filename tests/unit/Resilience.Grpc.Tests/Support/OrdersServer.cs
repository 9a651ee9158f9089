using System.Collections.Concurrent;
using System.Net;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience.Tests;

/// <summary>A real server on the loopback address. What it does with an order is said by the order's id; it counts the requests of each id.</summary>
internal sealed class OrdersServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, OrderPlan> _plans = new(StringComparer.Ordinal);
    private int _last;

    private OrdersServer(WebApplication app) => _app = app;

    internal Uri Address => new(_app.Urls.First());

    internal IServiceProvider Services => _app.Services;

    internal static async Task<OrdersServer> StartAsync(Action<WebApplicationBuilder>? configure = null, Action<WebApplication>? use = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        OrdersServer? server = null;
        builder.Services.AddSingleton(_ => server!);
        configure?.Invoke(builder);
        WebApplication app = builder.Build();
        server = new(app);
        use?.Invoke(app);
        app.MapGrpcService<OrdersService>();
        await app.StartAsync();
        return server;
    }

    /// <summary>An order of which each request is answered so; the number of the request is 0 for the first.</summary>
    internal OrderPlan Plan(Func<int, ServerCallContext, Task<int>> answer)
    {
        OrderPlan plan = new(Interlocked.Increment(ref _last).ToString(System.Globalization.CultureInfo.InvariantCulture), answer);
        _plans[plan.Id] = plan;
        return plan;
    }

    internal OrderPlan Plan(Func<int, int> answer) => Plan((n, _) => Task.FromResult(answer(n)));

    internal OrderPlan PlanFailure(StatusCode code, Metadata? trailers = null) =>
        Plan((_, _) => throw new RpcException(new(code, $"planned {code}"), trailers ?? []));

    /// <summary>An order whose requests are streams: the number of the request, what is read, where is written, the call.</summary>
    internal OrderPlan PlanStream(Func<int, IAsyncStreamReader<Order>?, IServerStreamWriter<Receipt>, ServerCallContext, Task> answer)
    {
        OrderPlan plan = Plan((_, _) => Task.FromResult(0));
        plan.Stream = answer;
        return plan;
    }

    internal OrderPlan Find(string id) => _plans[id];

    internal GrpcChannel NewChannel(Action<GrpcChannelOptions>? configure = null)
    {
        GrpcChannelOptions options = new() { HttpHandler = new SocketsHttpHandler() };
        configure?.Invoke(options);
        return GrpcChannel.ForAddress(Address, options);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (OrderPlan plan in _plans.Values) plan.Release();
        using CancellationTokenSource soon = new(TimeSpan.FromSeconds(5));
        await _app.StopAsync(soon.Token);
        await _app.DisposeAsync();
    }
}

/// <summary>What becomes of the requests for one order.</summary>
internal sealed class OrderPlan(string id, Func<int, ServerCallContext, Task<int>> answer)
{
    private readonly ConcurrentQueue<Metadata> _headers = [];
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _requests;

    internal string Id => id;

    internal Order Order => new() { Id = id };

    internal int Requests => Volatile.Read(ref _requests);

    /// <summary>What the requests carried, in their order.</summary>
    internal IReadOnlyList<Metadata> Headers => [.. _headers];

    internal ConcurrentQueue<DateTime> Deadlines { get; } = [];

    /// <summary>Completed when a request has come.</summary>
    internal TaskCompletionSource Come { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>For answers that hang: ends with the request or the test.</summary>
    internal Task Hang(ServerCallContext context) => _released.Task.WaitAsync(context.CancellationToken);

    internal void Release() => _released.TrySetResult();

    internal Func<int, IAsyncStreamReader<Order>?, IServerStreamWriter<Receipt>, ServerCallContext, Task>? Stream { get; set; }

    internal Task StreamAsync(IAsyncStreamReader<Order>? reader, IServerStreamWriter<Receipt>? writer, ServerCallContext context)
    {
        _headers.Enqueue(context.RequestHeaders);
        Deadlines.Enqueue(context.Deadline);
        int number = Interlocked.Increment(ref _requests) - 1;
        Come.TrySetResult();
        return Stream!(number, reader, writer!, context);
    }

    internal async Task<int> AnswerAsync(ServerCallContext context)
    {
        _headers.Enqueue(context.RequestHeaders);
        Deadlines.Enqueue(context.Deadline);
        int number = Interlocked.Increment(ref _requests) - 1;
        Come.TrySetResult();
        return await answer(number, context);
    }
}

internal sealed class OrdersService(OrdersServer server) : Orders.OrdersBase
{
    public override Task<Receipt> Get(Order request, ServerCallContext context) => AnswerAsync(request, context);

    public override Task<Receipt> Put(Order request, ServerCallContext context) => AnswerAsync(request, context);

    public override Task<Receipt> Place(Order request, ServerCallContext context) => AnswerAsync(request, context);

    private async Task<Receipt> AnswerAsync(Order request, ServerCallContext context) => new() { Number = await server.Find(request.Id).AnswerAsync(context) };

    public override Task Watch(Order request, IServerStreamWriter<Receipt> responseStream, ServerCallContext context) =>
        server.Find(request.Id).StreamAsync(null, responseStream, context);

    public override Task Follow(Order request, IServerStreamWriter<Receipt> responseStream, ServerCallContext context) =>
        server.Find(request.Id).StreamAsync(null, responseStream, context);

    public override async Task<Receipt> Upload(IAsyncStreamReader<Order> requestStream, ServerCallContext context)
    {
        await server.Find(context.RequestHeaders.GetValue("id")!).StreamAsync(requestStream, null, context);
        int orders = 0;
        while (await requestStream.MoveNext(context.CancellationToken)) orders++;
        return new() { Number = orders };
    }

    public override async Task Chat(IAsyncStreamReader<Order> requestStream, IServerStreamWriter<Receipt> responseStream, ServerCallContext context)
    {
        await server.Find(context.RequestHeaders.GetValue("id")!).StreamAsync(requestStream, responseStream, context);
        for (int number = 1; await requestStream.MoveNext(context.CancellationToken); number++) await responseStream.WriteAsync(new() { Number = number });
    }
}

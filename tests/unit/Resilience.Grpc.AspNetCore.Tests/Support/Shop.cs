using System.Collections.Concurrent;
using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Resilience.Tests;

/// <summary>What the services do, and how often they did it: of one node, or of several that share it.</summary>
internal sealed class Book
{
    private int _charges;

    /// <summary>How often the methods ran.</summary>
    internal int Charges => Volatile.Read(ref _charges);

    /// <summary>What a method does; the number of the execution is 1 for the first.</summary>
    internal Func<int, Order, ServerCallContext, Task<Receipt>> Answer { get; set; } =
        static (number, order, _) => Task.FromResult(new Receipt { Number = number, Text = order.Item });

    /// <summary>Completed when a method runs.</summary>
    internal TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Lets go on what waits for it.</summary>
    internal TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal Task<Receipt> RunAsync(Order order, ServerCallContext context)
    {
        int number = Interlocked.Increment(ref _charges);
        Begun.TrySetResult();
        return Answer(number, order, context);
    }
}

/// <summary>One node: a real Kestrel with HTTP/2, whose user is the one that a header names.</summary>
internal sealed class Shop : IAsyncDisposable
{
    internal const string Charge = "/shop.Till/Charge";

    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly WebApplication _app;
    private GrpcChannel? _channel;

    private Shop(WebApplication app) => _app = app;

    internal Uri Address => new(_app.Urls.First());

    internal IServiceProvider Services => _app.Services;

    internal Till.TillClient Client => new(Channel);

    internal GrpcChannel Channel => _channel ??= NewChannel();

    internal GrpcChannel NewChannel(Func<HttpMessageHandler, HttpMessageHandler>? around = null)
    {
        SocketsHttpHandler transport = new() { EnableMultipleHttp2Connections = true };
        return GrpcChannel.ForAddress(Address, new() { HttpHandler = around?.Invoke(transport) ?? transport, DisposeHttpClient = true });
    }

    internal static WebApplication Build(
        Book book, Action<GrpcIdempotencyOptions>? configure = null, Action<IServiceCollection>? services = null, Action<IIdempotencyBuilder>? gate = null,
        Action<IdempotencyOptions>? options = null, Action<WebApplication>? use = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        builder.Services.AddSingleton(book);
        builder.Services.AddGrpc().AddIdempotency(configure ?? (static o => o.RequireKey(Charge)));
        IIdempotencyBuilder idempotency = builder.Services.AddIdempotency(options);
        gate?.Invoke(idempotency);
        builder.Services.AddAuthentication(HeaderUser.Scheme).AddScheme<AuthenticationSchemeOptions, HeaderUser>(HeaderUser.Scheme, null);
        services?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        use?.Invoke(app);
        app.MapGrpcService<TillService>();
        return app;
    }

    internal static async Task<Shop> OpenAsync(
        Book book, Action<GrpcIdempotencyOptions>? configure = null, Action<IServiceCollection>? services = null, Action<IIdempotencyBuilder>? gate = null,
        Action<IdempotencyOptions>? options = null, Action<WebApplication>? use = null)
    {
        WebApplication app = Build(book, configure, services, gate, options, use);
        await app.StartAsync();
        return new(app);
    }

    /// <summary>One call, and all that came of it.</summary>
    internal Task<Reply> ChargeAsync(
        string? key = "k1", Order? order = null, string? user = "ann", GrpcCallOptions options = default, Metadata? headers = null) =>
        CallAsync((o, c) => Client.ChargeAsync(o, c), key, order, user, options, headers);

    internal static async Task<Reply> CallAsync(
        Func<Order, GrpcCallOptions, AsyncUnaryCall<Receipt>> call, string? key = "k1", Order? order = null, string? user = "ann",
        GrpcCallOptions options = default, Metadata? headers = null)
    {
        headers ??= [];
        if (key is not null) headers.Add("idempotency-key", key);
        if (user is not null) headers.Add("x-user", user);
        using AsyncUnaryCall<Receipt> calling = call(order ?? new() { Item = "tea", Amount = 3 }, options.WithHeaders(headers));
        try
        {
            Receipt receipt = await calling.ResponseAsync.WaitAsync(Patience);
            return new(calling.GetStatus(), receipt, calling.GetTrailers());
        }
        catch (RpcException error)
        {
            return new(error.Status, null, error.Trailers);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _channel?.Dispose();
        await _app.DisposeAsync();
    }
}

internal sealed record Reply(Status Status, Receipt? Receipt, Metadata Trailers)
{
    internal StatusCode Code => Status.StatusCode;

    internal bool IsReplayed => Trailers.GetValue("idempotency-replayed") == "true";

    internal string? Problem => Trailers.GetValue("idempotency-problem");

    internal string? Pushback => Trailers.GetValue("grpc-retry-pushback-ms");
}

internal sealed class TillService(Book book) : Till.TillBase
{
    public override Task<Receipt> Charge(Order request, ServerCallContext context) => book.RunAsync(request, context);

    public override Task<Receipt> Refund(Order request, ServerCallContext context) => book.RunAsync(request, context);

    public override async Task Watch(Order request, IServerStreamWriter<Receipt> responseStream, ServerCallContext context) =>
        await responseStream.WriteAsync(await book.RunAsync(request, context));

    public override Task<Receipt> Upload(IAsyncStreamReader<Order> requestStream, ServerCallContext context) => book.RunAsync(new(), context);

    public override async Task Chat(IAsyncStreamReader<Order> requestStream, IServerStreamWriter<Receipt> responseStream, ServerCallContext context) =>
        await responseStream.WriteAsync(await book.RunAsync(new(), context));
}

/// <summary>A service whose methods say themselves that they require a key.</summary>
internal sealed class MarkedService(Book book) : Marked.MarkedBase
{
    [RequireIdempotencyKey(MaxWaitSeconds = 0)]
    public override Task<Receipt> Charge(Order request, ServerCallContext context) => book.RunAsync(request, context);

    public override Task<Receipt> Look(Order request, ServerCallContext context) => book.RunAsync(request, context);
}

/// <summary>The user is the one that a header names.</summary>
internal sealed class HeaderUser(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    internal new const string Scheme = "header";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Request.Headers["x-user"].FirstOrDefault() is not { } user) return Task.FromResult(AuthenticateResult.NoResult());
        return Task.FromResult(AuthenticateResult.Success(new(new(new ClaimsIdentity([new("sub", user)], Scheme)), Scheme)));
    }
}

/// <summary>Loses the reply to the first request, when the server has sent all of it, and sends the next ones to another node.</summary>
internal sealed class LossyWire(HttpMessageHandler inner, Uri next) : DelegatingHandler(inner)
{
    private int _requests;

    internal ConcurrentQueue<string?> Keys { get; } = [];

    internal int Requests => Volatile.Read(ref _requests);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Keys.Enqueue(request.Headers.TryGetValues("idempotency-key", out IEnumerable<string>? values) ? string.Join('|', values) : null);
        bool isFirst = Interlocked.Increment(ref _requests) == 1;
        if (!isFirst) request.RequestUri = new(next, request.RequestUri!.PathAndQuery);
        HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
        if (!isFirst) return response;
        await response.Content.ReadAsByteArrayAsync(cancellationToken);
        response.Dispose();
        throw new HttpRequestException("The reply was lost.", new IOException("The connection was reset."));
    }
}

/// <summary>Notes the bytes of the bodies of responses as they come.</summary>
internal sealed class Recorder(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    internal ConcurrentQueue<byte[]> Bodies { get; } = [];

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
        byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        Bodies.Enqueue(body);
        ByteArrayContent copy = new(body);
        foreach ((string name, IEnumerable<string> values) in response.Content.Headers) copy.Headers.TryAddWithoutValidation(name, values);
        response.Content = copy;
        return response;
    }
}

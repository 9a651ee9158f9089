using System.Security.Claims;
using System.Text;
using System.Text.Encodings.Web;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Resilience.Tests.Docs.Running;

/// <summary>What stands around a block of the documents while it runs: a server that answers by a script, a container, an application on loopback, a folder,
/// and a clock on which short waits end at once and longer times never come. Public, for the compiled blocks use it.</summary>
public sealed class BlockWorld : IAsyncDisposable
{
    private readonly string _folder;
    private readonly string? _json;
    private readonly List<string> _printed = [];
    private readonly InstantTime _clock;
    private readonly CancellationTokenSource _patience = new(TimeSpan.FromMinutes(2));
    private WebApplicationBuilder? _builder;
    private WebApplication? _app;
    private bool _isStarted;

    internal BlockWorld(string folder, string? json, TimeSpan maxWait) =>
        (_folder, _json, _clock, Http) = (folder, json, new() { MaxWait = maxWait },
            new(Server, disposeHandler: false) { BaseAddress = new("https://example.org/") });

    /// <summary>The database of the documents, which is nowhere.</summary>
    internal const string NoPostgreSql = "Host=db;Database=shop;Username=shop";

    /// <summary>How the database of the documents is reached.</summary>
    public string PostgreSql { get; init; } = NoPostgreSql;

    public ScriptedServer Server { get; } = new();

    public HttpClient Http { get; set; }

    public CancellationToken Token => _patience.Token;

    public IServiceCollection Services => (_builder ??= Make()).Services;

    public IConfiguration Configuration => (_builder ??= Make()).Configuration;

    /// <summary>Built when it is first used: what is added to <see cref="Services"/> later comes too late, as in any program.</summary>
    public WebApplication App => _app ??= Build();

    public bool Reached { get; set; }

    internal IReadOnlyList<string> Printed => _printed;

    public static ServiceDescriptor Orders { get; } = OrdersOfProto();

    public void Print(object? value)
    {
        lock (_printed) _printed.Add($"{value}");
    }

    public static void Holds(bool isTrue, string claim)
    {
        if (!isTrue) throw new FalseClaimException(claim);
    }

    public string File(string name) => Path.Combine(_folder, name);

    /// <summary>The block's pipelines run on the clock of this world, and draw the same numbers each time.</summary>
    public TBuilder OnClock<TBuilder>(TBuilder builder)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        (builder.TimeProvider, builder.Randomness) = (_clock, Randomness.Seeded(1));
        return builder;
    }

    /// <summary>Callers sign in by a header that has their name.</summary>
    public void AddSignIn()
    {
        Services.AddAuthentication("header").AddScheme<AuthenticationSchemeOptions, HeaderSignIn>("header", null);
        Services.AddAuthorization();
    }

    /// <summary>Asks the application, on loopback.</summary>
    public async Task<Reply> AskAsync(string method, string path, string? key = null, string? user = null, string? body = null, string? header = null)
    {
        await StartAsync();
        using HttpClient client = new() { BaseAddress = new(App.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()) };
        return await SendAsync(client, method, path, key, user, body, header);
    }

    /// <summary>Sends by a client that the block has registered, to the scripted server.</summary>
    public async Task<Reply> SendAsync(string client, string method, string path, string? key = null)
    {
        await StartAsync();
        HttpClient http = App.Services.GetRequiredService<IHttpClientFactory>().CreateClient(client);
        http.BaseAddress ??= new("https://example.org/");
        return await SendAsync(http, method, path, key);
    }

    public sealed record Reply(int Status, string Body, bool IsReplayed);

    private static async Task<Reply> SendAsync(
        HttpClient client, string method, string path, string? key = null, string? user = null, string? body = null, string? header = null)
    {
        using HttpRequestMessage request = new(new(method), path);
        if (key is not null) request.Headers.Add("Idempotency-Key", key);
        if (user is not null) request.Headers.Add("X-User", user);
        if (header is not null) request.Headers.Add(header.Split('=')[0], header.Split('=')[1]);
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await client.SendAsync(request);
        return new((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers.Contains("Idempotent-Replayed"));
    }

    public T Get<T>(object? key = null)
        where T : notnull => key is null ? App.Services.GetRequiredService<T>() : App.Services.GetRequiredKeyedService<T>(key);

    /// <summary>A pipeline with a circuit, for a block that takes one as given.</summary>
    public void AddCircuit(string pipeline) => Services.AddResilience().AddPipeline(pipeline, builder => builder.AddCircuitBreaker());

    public CircuitBreaker CircuitOf(string pipeline) => Get<ResiliencePipeline>(pipeline).Find<CircuitBreaker>()!;

    public async Task<string> HealthAsync() => $"{(await Get<HealthCheckService>().CheckHealthAsync(Token)).Status}";

    /// <summary>Everything that was registered is checked and started, as a host does it.</summary>
    public async Task StartAsync()
    {
        if (_isStarted || (_builder is null && _app is null)) return;
        _isStarted = true;
        await App.StartAsync(Token);
    }

    private WebApplicationBuilder Make()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(
            new WebApplicationOptions { EnvironmentName = "Development", ContentRootPath = _folder });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton<TimeProvider>(_clock).AddSingleton(Randomness.Seeded(1));
        builder.Services.ConfigureHttpClientDefaults(d => d.ConfigurePrimaryHttpMessageHandler(() => Server));
        if (_json is not null)
            builder.Configuration.AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(_json.TrimStart().StartsWith('{') ? _json : $"{{{_json}}}")));
        return builder;
    }

    private WebApplication Build() => (_builder ??= Make()).Build();

    public async ValueTask DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        Http.Dispose();
        _patience.Dispose();
    }

    private static ServiceDescriptor OrdersOfProto()
    {
        FileDescriptorProto file = new() { Name = "orders.proto", Package = "shop", Syntax = "proto3" };
        file.MessageType.Add(new DescriptorProto { Name = "Empty" });
        file.Service.Add(new ServiceDescriptorProto { Name = "Orders" });
        foreach ((string name, MethodOptions.Types.IdempotencyLevel level) in ((string, MethodOptions.Types.IdempotencyLevel)[])
            [("Get", MethodOptions.Types.IdempotencyLevel.NoSideEffects), ("Place", MethodOptions.Types.IdempotencyLevel.IdempotencyUnknown)])
        {
            file.Service[0].Method.Add(new MethodDescriptorProto
            {
                Name = name,
                InputType = ".shop.Empty",
                OutputType = ".shop.Empty",
                Options = new() { IdempotencyLevel = level },
            });
        }

        return FileDescriptor.BuildFromByteStrings([file.ToByteString()])[0].Services[0];
    }

    private sealed class HeaderSignIn(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory log, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, log, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
            Request.Headers["X-User"].FirstOrDefault() is { } name
                ? AuthenticateResult.Success(new(new ClaimsPrincipal(new ClaimsIdentity([new(ClaimTypes.NameIdentifier, name), new(ClaimTypes.Name, name)],
                    "header")), "header"))
                : AuthenticateResult.NoResult());
    }
}

using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>A service on a real Kestrel whose records are in the database of its shop, and a client for it.</summary>
internal sealed class Service : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly WebApplication _app;

    private Service(WebApplication app)
    {
        _app = app;
        Client = new(new SocketsHttpHandler { UseCookies = false }) { Timeout = Patience };
    }

    internal HttpClient Client { get; }

    /// <summary>What an endpoint has thrown, or its protection.</summary>
    internal Exception? LastError { get; private set; }

    internal IServiceProvider Services => _app.Services;

    internal static async Task<Service> OpenAsync(
        RecordDatabase database,
        Action<WebApplication> map,
        Action<DbContextOptionsBuilder>? context = null,
        Action<IdempotencyOptions>? gate = null,
        Action<IServiceCollection>? services = null,
        Flaw flaw = Flaw.None)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddDbContext<RecordShop>(options =>
        {
            database.Configure(options);
            context?.Invoke(options);
        });
        IIdempotencyBuilder idempotency = builder.Services.AddIdempotency(gate).AddEndpoints(o => o.AllowSharedScope = true);
        if (flaw == Flaw.None)
        {
            idempotency.UseEntityFrameworkCore<RecordShop>();
        }
        else
        {
            idempotency.UseStore(_ => new FlawedRecords(database.Store(), flaw));
            builder.Services.AddKeyedSingleton<ITransactionalScopeFactory>(typeof(RecordShop), new FlawedTransactions(flaw));
        }

        services?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        Service service = new(app);
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            catch (Exception error)
            {
                service.LastError = error;
                throw;
            }
        });
        map(app);
        await app.StartAsync();
        service.Client.BaseAddress =
            new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
        return service;
    }

    internal async Task<Reply> SendAsync(
        string path = "/orders", string key = "k1", string body = "{}", string? tenant = null, CancellationToken stop = default)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", $"\"{key}\"");
        if (tenant is not null) request.Headers.Add("X-Tenant", tenant);
        using HttpResponseMessage response = await Client.SendAsync(request, stop);
        return new(
            (int)response.StatusCode,
            await response.Content.ReadAsByteArrayAsync(stop),
            response.Headers.Contains("Idempotent-Replayed"),
            response.Headers.Location?.ToString(),
            response.Headers.RetryAfter is not null);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }

    internal sealed record Reply(int Status, byte[] Body, bool IsReplayed, string? Location, bool MayRetry)
    {
        internal string Text => Encoding.UTF8.GetString(Body);

        /// <summary>What the client sees, but whether it was replayed.</summary>
        internal (int Status, string Body, string? Location) Seen => (Status, Convert.ToHexString(Body), Location);

        internal (int Status, string? Code) Problem =>
            (Status, Status < 400 ? null : JsonDocument.Parse(Text).RootElement.GetProperty("code").GetString());
    }
}

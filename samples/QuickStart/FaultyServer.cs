using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience.QuickStart;

/// <summary>What the server does to a request.</summary>
internal enum Mood
{
    Healthy,
    Rejecting,
    Hanging,
    LosingReplies,
}

/// <summary>A real web server on loopback that fails on demand: answers 503, hangs, or does the work and then cuts the line before the reply.</summary>
internal sealed class FaultyServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _mood;
    private int _requests;
    private int _worked;
    private int _price = 100;

    private FaultyServer(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    public Mood Mood
    {
        get => (Mood)Volatile.Read(ref _mood);
        set => Volatile.Write(ref _mood, (int)value);
    }

    /// <summary>Requests that arrived: the load that clients put on the server.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Requests for which the work was done, whether or not the reply arrived.</summary>
    public int Worked => Volatile.Read(ref _worked);

    public static async Task<FaultyServer> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication app = builder.Build();
        FaultyServer server = new(app);
        app.MapGet("/price", server.AnswerAsync);
        await app.StartAsync();
        server.Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return server;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        Interlocked.Increment(ref _requests);
        Mood mood = Mood;
        switch (mood)
        {
            case Mood.Rejecting:
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                return;
            case Mood.Hanging:
                // Until the client gives up, or ten seconds.
                await Task.Delay(TimeSpan.FromSeconds(10), context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return;
        }

        int price = Interlocked.Increment(ref _price);
        Interlocked.Increment(ref _worked);
        if (mood == Mood.LosingReplies)
        {
            context.Abort();
            return;
        }

        await context.Response.WriteAsync(price.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationTokenSource(TimeSpan.FromSeconds(1)).Token);
        await _app.DisposeAsync();
    }
}

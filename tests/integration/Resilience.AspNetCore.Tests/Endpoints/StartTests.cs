using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Resilience.AspNetCore.Tests;

/// <summary>The first contact: what is set up wrongly is told when the host starts, and everything at once.</summary>
public sealed class StartTests
{
    private static async Task<WebApplication> StartAsync(Action<IServiceCollection> services, Action<WebApplication> map, bool isSignedIn = false)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        if (isSignedIn) AddUsers(builder.Services);
        services(builder.Services);
        WebApplication app = builder.Build();
        map(app);
        try
        {
            await app.StartAsync();
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    private static void AddUsers(IServiceCollection services)
    {
        services.AddAuthentication(HeaderUser.Scheme).AddScheme<AuthenticationSchemeOptions, HeaderUser>(HeaderUser.Scheme, null);
        services.AddAuthorization();
    }

    private static Uri AddressOf(WebApplication app) =>
        new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());

    /// <summary>Each way to set it up wrongly: what is done, and a word of the message that tells it.</summary>
    public static TheoryData<string, string> Mistakes => new()
    {
        { "no scope", "POST /do: ScopeFor is null" },
        { "no scope, anonymous on purpose", "POST /do: ScopeFor is null" },
        { "no scope, in a group", "POST /g/do: ScopeFor is null" },
        { "no scope, an action", "POST /attributed: ScopeFor is null" },
        { "no scope, the middleware", "UseIdempotency: ScopeFor is null" },
        { "registered twice", "idempotency: AddIdempotency is called 2 times" },
        { "a name registered twice", "idempotency 'orders': AddIdempotency is called 2 times" },
        { "two stores", "idempotency: the store is named 2 times" },
        { "two stores behind a name", "idempotency 'orders': the store is named 2 times" },
        { "a store and a service", "idempotency: the store is named 2 times" },
        { "an unknown gate", "POST /do: Gate is 'nothing', but must be one that is registered: empty (AddIdempotency()), 'orders'" },
        { "only gates with names", "POST /do: Gate is ''*'orders'" },
        { "an option", "idempotency: Lease is 0 ms" },
        { "an option of a gate with a name", "orders: Lease is 0 ms" },
        { "an option of an endpoint", "POST /do: MaxKeyLength is 999" },
        { "authentication behind", "UseIdempotency: its place is before UseAuthentication" },
        { "authorization behind", "UseIdempotency: its place is before UseAuthorization" },
        { "forgery behind", "UseIdempotency: its place is before UseAntiforgery" },
    };

    private static Task<WebApplication> MakeMistakeAsync(string mistake)
    {
        static void Open(IdempotencyEndpointOptions o) => o.AllowSharedScope = true;
        static IResult Do() => Results.Ok();
        return mistake switch
        {
            "no scope" => StartAsync(s => s.AddIdempotency(), app => app.MapPost("/do", Do).RequireIdempotencyKey()),
            "no scope, anonymous on purpose" => StartAsync(s => s.AddIdempotency(), app => app.MapPost("/do", Do).RequireIdempotencyKey().AllowAnonymous(), isSignedIn: true),
            "no scope, in a group" => StartAsync(s => s.AddIdempotency(), app => app.MapGroup("/g").RequireIdempotencyKey().MapPost("/do", Do)),
            "no scope, an action" => StartAsync(
                s =>
                {
                    s.AddIdempotency();
                    s.AddControllers().ConfigureApplicationPartManager(p => p.FeatureProviders.Add(new OnlyAttributed()))
                        .AddApplicationPart(typeof(StartTests).Assembly);
                },
                app => app.MapControllers()),
            "no scope, the middleware" => StartAsync(s => s.AddIdempotency(), app => app.UseIdempotency(_ => true)),
            "registered twice" => StartAsync(
                s =>
                {
                    s.AddIdempotency(o => o.Retention = TimeSpan.FromDays(30));
                    s.AddIdempotency(o => o.Retention = TimeSpan.FromHours(1));
                },
                app => app.MapPost("/do", Do).RequireIdempotencyKey(Open)),
            "a name registered twice" => StartAsync(
                s =>
                {
                    s.AddIdempotency("orders");
                    s.AddIdempotency("orders");
                },
                _ => { }),
            "two stores" => StartAsync(s => s.AddIdempotency().UseInMemory(_ => { }).UseStore(_ => new InMemoryIdempotencyStore()), _ => { }),
            "two stores behind a name" => StartAsync(s => s.AddIdempotency("orders").UseInMemory(_ => { }).UseInMemory(_ => { }), _ => { }),
            "a store and a service" => StartAsync(
                s => s.AddIdempotency().UseInMemory(_ => { }).Services.AddSingleton<IIdempotencyStore>(new InMemoryIdempotencyStore()), _ => { }),
            "an unknown gate" => StartAsync(
                s =>
                {
                    s.AddIdempotency();
                    s.AddIdempotency("orders");
                },
                app => app.MapPost("/do", Do).RequireIdempotencyKey(o => (o.Gate, o.AllowSharedScope) = ("nothing", true))),
            "only gates with names" => StartAsync(s => s.AddIdempotency("orders"), app => app.MapPost("/do", Do).RequireIdempotencyKey(Open)),
            "an option" => StartAsync(s => s.AddIdempotency(o => o.Lease = TimeSpan.Zero), _ => { }),
            "an option of a gate with a name" => StartAsync(s => s.AddIdempotency("orders", o => (o.Lease, o.Name) = (TimeSpan.Zero, "orders")), _ => { }),
            "an option of an endpoint" => StartAsync(s => s.AddIdempotency(), app => app.MapPost("/do", Do).RequireIdempotencyKey(o => (o.MaxKeyLength, o.AllowSharedScope) = (999, true))),
            "authentication behind" => StartAsync(s => s.AddIdempotency().AddEndpoints(Open), app => app.UseIdempotency().UseAuthentication(), isSignedIn: true),
            "authorization behind" => StartAsync(s => s.AddIdempotency().AddEndpoints(Open), app => app.UseIdempotency().UseAuthorization(), isSignedIn: true),
            "forgery behind" => StartAsync(
                s =>
                {
                    s.AddAntiforgery();
                    s.AddIdempotency().AddEndpoints(Open);
                },
                app => app.UseIdempotency().UseAntiforgery()),
            _ => throw new ArgumentException(mistake),
        };
    }

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task What_is_set_up_wrongly_stops_the_host_at_its_start(string mistake, string told)
    {
        Func<Task> start = async () => await (await MakeMistakeAsync(mistake)).DisposeAsync();

        (await start.Should().ThrowAsync<ResilienceOptionsException>()).WithMessage($"*{told}*");
    }

    [Fact]
    public async Task All_mistakes_are_reported_in_one_message()
    {
        Func<Task> start = async () => await (await StartAsync(
            s =>
            {
                s.AddIdempotency(o => o.Lease = TimeSpan.Zero).UseInMemory(_ => { }).UseInMemory(_ => { });
                s.AddIdempotency("orders", o => o.MaxAttempts = 0);
                s.AddIdempotency("orders");
            },
            app =>
            {
                app.MapPost("/one", () => "").RequireIdempotencyKey();
                app.MapPost("/two", () => "").RequireIdempotencyKey(o => (o.Gate, o.AllowSharedScope) = ("nothing", true));
            })).DisposeAsync();

        (await start.Should().ThrowAsync<ResilienceOptionsException>()).Which.Problems.Select(p => (p.Policy, p.Option)).Should().BeEquivalentTo(new[]
        {
            ("idempotency", "the store"), ("idempotency 'orders'", "AddIdempotency"), ("idempotency", "Lease"), ("idempotency", "MaxAttempts"),
            ("POST /one", "ScopeFor"), ("POST /two", "Gate"),
        });
    }

    [Fact]
    public async Task A_host_without_a_server_is_checked_as_well()
    {
        HostApplicationBuilder builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddIdempotency().UseInMemory(_ => { }).UseInMemory(_ => { });
        using IHost host = builder.Build();

        await host.Invoking(h => h.StartAsync()).Should().ThrowAsync<ResilienceOptionsException>().WithMessage("*the store is named 2 times*");
    }

    [Fact]
    public async Task What_is_set_up_rightly_starts()
    {
        await using WebApplication app = await StartAsync(
            s =>
            {
                s.AddIdempotency();
                s.AddIdempotency("orders");
            },
            app =>
            {
                app.UseAuthentication();
                app.UseAuthorization();
                app.UseIdempotency();
                app.MapPost("/a", () => "").RequireIdempotencyKey().RequireAuthorization();
                app.MapPost("/b", () => "").RequireIdempotencyKey(o => (o.Gate, o.ScopeFor) = ("orders", _ => "shop"));
                app.MapPost("/c", () => "").AllowAnonymous().RequireIdempotencyKey(o => o.AllowSharedScope = true);
                app.MapGet("/d", () => "").RequireIdempotencyKey();
            },
            isSignedIn: true);
    }

    [Fact]
    public void A_group_without_AddIdempotency_is_rejected_where_it_is_mapped()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        WebApplication app = builder.Build();

        app.Invoking(a => a.MapGroup("/g").RequireIdempotencyKey()).Should().Throw<InvalidOperationException>().WithMessage("*AddIdempotency()*");
        app.Invoking(a => a.UseIdempotency()).Should().Throw<InvalidOperationException>().WithMessage("*AddIdempotency()*");
    }

    [Theory]
    [InlineData("/missing", 500, "misconfigured")]
    [InlineData("/unknown", 500, "misconfigured")]
    public async Task A_mistake_of_the_service_is_a_problem_that_is_not_retryable_and_our_client_sends_once(string path, int status, string code)
    {
        int received = 0;
        await using WebApplication app = await StartAsync(
            s =>
            {
                if (path != "/missing") s.AddIdempotency().AddEndpoints(o => o.ScopeFor = _ => null);
            },
            app =>
            {
                app.Use(async (context, next) =>
                {
                    Interlocked.Increment(ref received);
                    await next(context);
                });
                app.MapPost(path, () => "done").RequireIdempotencyKey();
            });
        await using ServiceProvider services = new ServiceCollection()
            .AddHttpClient("shop", c => c.BaseAddress = AddressOf(app)).AddIdempotencyKey().AddStandardResilience().Services.BuildServiceProvider();
        using HttpClient client = services.GetRequiredService<IHttpClientFactory>().CreateClient("shop");

        using HttpResponseMessage answer = await client.PostAsync(path, null);

        ((int)answer.StatusCode).Should().Be(status);
        using JsonDocument problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        answer.Content.Headers.ContentType!.MediaType.Should().Be("application/problem+json");
        problem.RootElement.GetProperty("code").GetString().Should().Be(code);
        problem.RootElement.GetProperty("retryable").GetBoolean().Should().BeFalse();
        answer.Headers.GetValues("X-Should-Retry").Should().Equal("false");
        received.Should().Be(1, "a mistake of configuration does not pass");
    }

    /// <summary>Only the controller of this class.</summary>
    private sealed class OnlyAttributed : Microsoft.AspNetCore.Mvc.ApplicationParts.IApplicationFeatureProvider<Microsoft.AspNetCore.Mvc.Controllers.ControllerFeature>
    {
        public void PopulateFeature(
            IEnumerable<Microsoft.AspNetCore.Mvc.ApplicationParts.ApplicationPart> parts, Microsoft.AspNetCore.Mvc.Controllers.ControllerFeature feature)
        {
            foreach (System.Reflection.TypeInfo other in feature.Controllers.Where(c => c != typeof(AttributedController)).ToList())
                feature.Controllers.Remove(other);
        }
    }
}

[Route("attributed")]
public sealed class AttributedController : ControllerBase
{
    [HttpPost]
    [RequireIdempotencyKey]
    public IActionResult Do() => Ok();
}

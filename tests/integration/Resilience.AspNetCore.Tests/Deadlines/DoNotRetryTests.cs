using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Overload;

namespace Resilience.AspNetCore.Tests.Deadlines;

/// <summary>Which answers say that they are not to be retried, and which do not.</summary>
public sealed class DoNotRetryTests
{
    private static readonly ResiliencePipeline Twice = new ResiliencePipelineBuilder()
        .AddRetry(new RetryOptions { MaxRetries = 1, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero, Budget = RetryBudget.Unlimited }).Build();

    private static Task<Shop> OpenAsync(Action<RequestDeadlineOptions>? configure = null) => Shop.OpenAsync(
        app =>
        {
            app.UseExceptionHandler(static handler => handler.Run(static context => context.Response.WriteAsync("handled")));
            app.UseRequestDeadlines();
            app.MapGet("/gave-up", async () => await Twice.ExecuteAsync<string>(static _ => throw new IOException("planted")));
            app.MapGet("/wrapped", async () =>
            {
                try
                {
                    return await Twice.ExecuteAsync<string>(static _ => throw new IOException("planted"));
                }
                catch (IOException error)
                {
                    throw new InvalidOperationException("around", error);
                }
            });
            app.MapGet("/other", async () =>
            {
                await Twice.TryExecuteAsync<string>(static _ => throw new IOException("planted"));
                throw new InvalidOperationException("another cause");
            });
            app.MapGet("/recovered", async () => (await Twice.TryExecuteAsync<string>(static _ => throw new IOException("planted"))).IsSuccess ? "no" : "well");
            app.MapGet("/said/{status:int}", static (HttpContext context, int status) =>
            {
                context.SetDoNotRetry();
                context.Response.Headers.RetryAfter = "3";
                return Results.StatusCode(status);
            });
            app.MapGet("/own/{said}", static (HttpContext context, string said) =>
            {
                context.SetDoNotRetry();
                context.Response.Headers["X-Should-Retry"] = said;
                return Results.StatusCode(503);
            });
            app.MapGet("/plain/{status:int}", static (int status) => Results.StatusCode(status));
        },
        services: services => services.AddRequestDeadlines(configure));

    private static async Task<(int Status, string? Mark, string? RetryAfter)> GetAsync(Shop shop, string path)
    {
        Shop.Reply reply = await shop.SendAsync(path, key: null, method: "GET", change: static r => r.Content = null);
        return (reply.Status, Of("X-Should-Retry"), Of("Retry-After"));

        string? Of(string name) => reply.Headers.TryGetValues(name, out IEnumerable<string>? values) ? values.Single() : null;
    }

    [Theory]
    [InlineData("/gave-up", 500, "false", null)]
    [InlineData("/wrapped", 500, "false", null)]
    [InlineData("/other", 500, null, null)] // the error that was given up on is not its cause
    [InlineData("/recovered", 200, null, null)]
    [InlineData("/said/503", 503, "false", null)]
    [InlineData("/said/429", 429, "false", null)]
    [InlineData("/said/200", 200, null, "3")]
    [InlineData("/said/404", 404, null, "3")] // the caller's own mistake
    [InlineData("/own/true", 503, "true", null)]
    [InlineData("/own/false", 503, "false", null)]
    [InlineData("/plain/503", 503, null, null)]
    public async Task The_mark_stands_on_errors_that_a_call_gave_up_on(string path, int status, string? mark, string? retryAfter)
    {
        await using Shop shop = await OpenAsync();
        (await GetAsync(shop, path)).Should().Be((status, mark, retryAfter));
    }

    [Fact]
    public async Task A_handler_that_sends_the_request_through_once_more_begins_no_other()
    {
        await using Shop shop = await Shop.OpenAsync(static app =>
        {
            app.UseExceptionHandler("/error");
            app.UseRouting();
            app.UseRequestDeadlines();
            app.MapGet("/gave-up", async () => await Twice.ExecuteAsync<string>(static _ => throw new IOException("planted")));
            app.MapGet("/error", static () => Results.Text($"{RequestContext.Current is null}", statusCode: 500));
        });
        Shop.Reply reply = await shop.SendAsync("/gave-up", key: null, method: "GET", change: static r => r.Content = null);
        (reply.Status, reply.Text, reply.Headers.GetValues("X-Should-Retry").Single()).Should().Be((500, "True", "false"));
    }

    [Theory]
    [InlineData("/gave-up", 499)]
    [InlineData("/own/false", 499)]
    [InlineData("/own/true", 503)]
    [InlineData("/other", 500)]
    [InlineData("/plain/503", 503)]
    public async Task A_status_that_no_SDK_repeats_takes_the_place_of_marked_answers_alone(string path, int status)
    {
        await using Shop shop = await OpenAsync(static o => o.StopStatusCode = 499);
        (await GetAsync(shop, path)).Status.Should().Be(status);
    }
}

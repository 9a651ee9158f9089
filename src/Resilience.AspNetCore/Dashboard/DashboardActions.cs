using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Resilience.Chaos;

namespace Resilience;

/// <summary>What a person may do on the page, and who is such a person.</summary>
/// <remarks>A request from another site is told apart three times: by where the browser says that it comes from, by a header that no form can
/// set, and by a token in it that only the page of this process knows.</remarks>
internal sealed class DashboardActions(DashboardReader reader, ResilienceDashboardOptions options, ILogger logger)
{
    internal const string Header = "X-Resilience-Dashboard";
    private const int MaxBody = 1024;

    private readonly DashboardRecords _records = new(reader, options, logger);

    /// <summary>New in each process.</summary>
    internal string Token { get; } = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));

    /// <summary>Whether this user sees buttons. The endpoint asks again.</summary>
    internal async Task<bool> MayActAsync(HttpContext context)
    {
        if (!options.EnableActions) return false;
        if (options.ActionsPolicy is not { } policy) return true;
        IAuthorizationService authorization = context.RequestServices.GetRequiredService<IAuthorizationService>();
        return (await authorization.AuthorizeAsync(context.User, null, policy).ConfigureAwait(false)).Succeeded;
    }

    internal async Task InvokeAsync(HttpContext context)
    {
        if (!options.EnableActions)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        if (!ComesFromOurPage(context.Request))
        {
            await AnswerAsync(context, StatusCodes.Status403Forbidden, "This did not come from the page of this process. Load it again.").ConfigureAwait(false);
            return;
        }

        if (!await MayActAsync(context).ConfigureAwait(false))
        {
            await AnswerAsync(context, StatusCodes.Status403Forbidden, "You may look, but not act.").ConfigureAwait(false);
            return;
        }

        DashboardAction? asked = await ReadAsync(context).ConfigureAwait(false);
        if (DashboardRecords.Knows(asked?.Action))
        {
            (int known, DashboardResponse answer) = await _records.DoAsync(asked!, UserOf(context)).ConfigureAwait(false);
            await AnswerAsync(context, known, answer).ConfigureAwait(false);
            return;
        }

        (int status, string said) = asked is null ? (StatusCodes.Status400BadRequest, "That is not understood.") : Do(asked, UserOf(context));
        await AnswerAsync(context, status, said).ConfigureAwait(false);
    }

    private static string UserOf(HttpContext context) => context.User.Identity?.Name ?? $"a viewer at {context.Connection.RemoteIpAddress}";

    private (int Status, string Said) Do(DashboardAction asked, string user)
    {
        if (asked.Action is not ("isolate" or "close" or "turn-off")) return (StatusCodes.Status400BadRequest, "There is no such action.");
        switch (asked.Action, asked.Target is { } id ? reader.Find(id) : null)
        {
            case ("isolate", CircuitBreaker circuit):
                circuit.Isolate();
                EndpointLog.PageActed(logger, user, "isolated", circuit.Name);
                return (StatusCodes.Status200OK, $"{circuit.Name} is isolated.");
            case ("close", CircuitBreaker circuit):
                circuit.Close();
                EndpointLog.PageActed(logger, user, "closed", circuit.Name);
                return (StatusCodes.Status200OK, $"{circuit.Name} is closed.");
            case ("turn-off", ChaosSwitch chaos): // off only: to begin with chaos is not for a page that many see
                chaos.TurnOff();
                EndpointLog.PageActed(logger, user, "turned off", "chaos");
                return (StatusCodes.Status200OK, "Nothing is injected any more.");
            default:
                return (StatusCodes.Status404NotFound, "That is gone.");
        }
    }

    private bool ComesFromOurPage(HttpRequest request)
    {
        byte[] said = Encoding.UTF8.GetBytes(request.Headers[Header].ToString());
        return CryptographicOperations.FixedTimeEquals(said, Encoding.UTF8.GetBytes(Token)) && IsSameOrigin(request);
    }

    /// <summary>Browsers say where a request comes from; a proxy that changes the host must pass on the first one.</summary>
    private static bool IsSameOrigin(HttpRequest request)
    {
        string site = request.Headers["Sec-Fetch-Site"].ToString();
        if (site.Length > 0 && site != "same-origin") return false;
        if (!Uri.TryCreate(request.Headers.Origin.ToString(), UriKind.Absolute, out Uri? origin)) return false;
        string own = new UriBuilder(origin.Scheme, request.Host.Host, request.Host.Port ?? -1).Uri.Authority; // without the port that goes without saying
        return string.Equals(origin.Authority, own, StringComparison.OrdinalIgnoreCase);
    }

    private static async Task<DashboardAction?> ReadAsync(HttpContext context)
    {
        if (!context.Request.HasJsonContentType() || context.Request.ContentLength is not (> 0 and <= MaxBody)) return null;
        try
        {
            return await context.Request.ReadFromJsonAsync(DashboardJson.Default.DashboardAction, context.RequestAborted).ConfigureAwait(false);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static Task AnswerAsync(HttpContext context, int status, string said) => AnswerAsync(context, status, new DashboardResponse(said));

    private static Task AnswerAsync(HttpContext context, int status, DashboardResponse answer)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(answer, DashboardJson.Default.DashboardResponse, cancellationToken: context.RequestAborted);
    }
}

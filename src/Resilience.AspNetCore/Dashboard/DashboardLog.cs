using Microsoft.Extensions.Logging;

namespace Resilience;

/// <summary>The lines of the live page's own log. In one class: of several the generator writes the code in an order that changes from build
/// to build, and the same source would not make the same package.</summary>
internal static partial class DashboardLog
{
    [LoggerMessage(1, LogLevel.Warning, "The live page could not read the state", EventName = "DashboardReadingFailed")]
    internal static partial void ReadingFailed(ILogger logger, Exception error);

    [LoggerMessage(2, LogLevel.Warning, "{User} did '{Action}' to {Target} on the live page", EventName = "DashboardActed")]
    internal static partial void Acted(ILogger logger, string user, string action, string target);
}

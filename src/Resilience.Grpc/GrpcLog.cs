using Microsoft.Extensions.Logging;

namespace Resilience;

/// <summary>The log lines of this package that no event of a policy stands behind.</summary>
internal static partial class GrpcLog
{
    internal const string Category = "Resilience";

    [LoggerMessage(40, LogLevel.Warning, "{Client}: {Code} {Finding}", EventName = "GrpcPipelineWarning")]
    internal static partial void PipelineWarning(ILogger logger, string client, string code, string finding);
}

namespace Resilience.EntityFrameworkCore;

/// <summary>What contexts do beside the policies of their pipeline.</summary>
public sealed class DatabaseResilienceOptions
{
    /// <summary>Whether an operation is repeated although it may have been applied, as the strategies of EF Core do. Default false: the caller gets the
    /// exception, which tells it (<see cref="DatabaseResilience.OutcomeKey"/>). True writes twice whenever an answer to COMMIT is lost, unless every
    /// operation is safe to repeat.</summary>
    public bool RepeatUnknownCommits { get; set; }

    /// <summary>Whether a retry of the driver's own may stand below the pipeline (<c>RetryLogicProvider</c> of SqlClient's connections and commands). Default
    /// false: it is an error, RES020, because attempts multiply, and the driver repeats what may have been applied.</summary>
    public bool AllowDriverRetries { get; set; }
}

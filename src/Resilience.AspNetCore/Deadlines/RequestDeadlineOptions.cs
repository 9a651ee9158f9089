using Microsoft.AspNetCore.Http;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>How a server takes up the deadlines, classes and attempts of its callers, and what it tells them. Read once, when the middleware is
/// added.</summary>
public sealed class RequestDeadlineOptions : PolicyOptions
{
    /// <summary>No caller has longer, whatever it says. Default 5 minutes; 1 ms to a day.</summary>
    public TimeSpan MaxTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a request has that states no time. Default null: as long as it likes, because a default would cut streams; 1 ms to a day.</summary>
    public TimeSpan? DefaultTimeout { get; set; }

    /// <summary>A request that has less left than this when it comes is rejected: it could not be served in time. Default zero: one whose time is up; to a
    /// day.</summary>
    public TimeSpan MinimumTime { get; set; }

    /// <summary>The same for each request, for a measured time of its endpoint; null: <see cref="MinimumTime"/>. What it throws is counted and means
    /// null, and so does a negative time.</summary>
    public Func<HttpContext, TimeSpan?>? MinimumTimeFor { get; set; }

    /// <summary>The answer to a request whose time is up. Default 504; 400 to 599. Methods of gRPC answer with status 4.</summary>
    public int ExpiredStatusCode { get; set; } = StatusCodes.Status504GatewayTimeout;

    /// <summary>Whether <see cref="HttpContext.RequestAborted"/> is cancelled too when the time is up. Default true.</summary>
    public bool Cancel { get; set; } = true;

    /// <summary>The highest class that a caller may give its request: what it says above that is taken for this. Null: classes of callers are not read.
    /// Default <see cref="Criticality.Critical"/>, so that no caller raises its requests above
    /// those that say nothing; and never above what its endpoint says.</summary>
    public Criticality? MaxInboundCriticality { get; set; } = Criticality.Critical;

    /// <summary>A status that takes the place of that of an answer which is marked as not to be retried, for callers that repeat by the status and read no
    /// header; 499 is one that no known SDK repeats. Default null: the status stays; 400 to 599.</summary>
    public int? StopStatusCode { get; set; }

    /// <summary>Headers that are written with the mark besides <c>X-Should-Retry: false</c>, with the same value: <c>Stripe-Should-Retry</c>. The value of
    /// <c>finagle-http-nonretryable-nack</c> is <c>true</c>. Default: none.</summary>
    public ISet<string> AlsoWrite { get; private set; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>The beginning of the <c>type</c> of problem answers; a name such as <c>deadline-expired</c> follows. Default
    /// <c>urn:resilience:overload:</c>.</summary>
    public string ProblemTypeBase { get; set; } = "urn:resilience:overload:";

    /// <inheritdoc/>
    protected override string Kind => "request-deadlines";

    /// <inheritdoc/>
    protected override PolicyOptions CopyCore()
    {
        RequestDeadlineOptions copy = (RequestDeadlineOptions)base.CopyCore();
        copy.AlsoWrite = new HashSet<string>(AlsoWrite, StringComparer.OrdinalIgnoreCase);
        return copy;
    }

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        TimeSpan shortest = TimeSpan.FromMilliseconds(1);
        check.Span(nameof(MaxTimeout), MaxTimeout, shortest);
        if (DefaultTimeout is { } usual) check.Span(nameof(DefaultTimeout), usual, shortest);
        check.Span(nameof(MinimumTime), MinimumTime, TimeSpan.Zero);
        check.Number(nameof(ExpiredStatusCode), ExpiredStatusCode, 400, 599);
        if (StopStatusCode is { } stop) check.Number(nameof(StopStatusCode), stop, 400, 599);
        if (MaxInboundCriticality is { } highest) check.Defined(nameof(MaxInboundCriticality), highest);
        check.Require(ProblemTypeBase is not null, nameof(ProblemTypeBase), null, "a URI, or the beginning of one");
        foreach (string name in AlsoWrite)
            check.Require(Resilience.Idempotency.IdempotencyEndpointOptions.IsToken(name), nameof(AlsoWrite), name, "names of headers");
    }

    internal RequestDeadlineOptions Copied() => (RequestDeadlineOptions)CopyCore();
}

using Resilience.Extensibility;

namespace Resilience;

/// <summary>What the live page shows, to how many, and what may be done on it. Read once, when the page is mapped.</summary>
public sealed class ResilienceDashboardOptions : PolicyOptions
{
    /// <summary>What stands at the top of the page. Default null: the name of the application.</summary>
    public string? Title { get; set; }

    /// <summary>How often those who look get the present state, 250 ms to 10 s. Default 1 s. A change of a circuit is shown at once. The charts
    /// reach back 300 intervals.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many may look at once, 1 to 1,000; all share one reading of the state. Default 20. Who comes then gets 503.</summary>
    public int MaxViewers { get; set; } = 20;

    /// <summary>How many of them may be one client, 1 to 1,000: a user who is signed in, by name, otherwise an address. Default 5, so that one client does
    /// not keep the others out. Who comes then gets 429.</summary>
    public int MaxViewersPerClient { get; set; } = 5;

    /// <summary>How many pipelines, authorities of a client and keys of a circuit breaker are shown, each, 1 to 1,000. Default 50. Those in
    /// trouble come first; of the others the page says how many there are.</summary>
    public int MaxShown { get; set; } = 50;

    /// <summary>How many transitions and rejections are remembered, 10 to 1,000. Default 200.</summary>
    public int MaxRecent { get; set; } = 200;

    /// <summary>Whether calls are measured and rejections gathered from the start, so that the first viewer sees the last 300 intervals and what was
    /// rejected. Default true: each call then costs what any listener of the metrics costs, and memory of 23 kB for a pipeline, 4.7 MB at most. False: only
    /// while there is a viewer.</summary>
    public bool KeepHistory { get; set; } = true;

    /// <summary>Where a trace can be seen: an absolute address of http or https with <c>{traceId}</c> in it. Default null: the page shows the id as
    /// text.</summary>
    public string? TraceUrl { get; set; }

    /// <summary>Whether the keys of partitioned circuit breakers are shown. Default true. Set it to false when keys are people or
    /// tenants: the page then counts them and shows only those in trouble, without a name.</summary>
    public bool ShowPartitionKeys { get; set; } = true;

    /// <summary>Whether circuits can be isolated and closed from the page, and chaos turned off. Default false. Outside of Development
    /// <see cref="ActionsPolicy"/> is needed too.</summary>
    public bool EnableActions { get; set; }

    /// <summary>Whether records of idempotency gates whose outcome is unknown can be looked up by their id and decided about from the page. Default false;
    /// needs <see cref="EnableActions"/>. To say that something was not done lets it be done again, so an operator who may do this should be able to find out.
    /// Each decision is a warning in the log, with who made it.</summary>
    public bool EnableResolving { get; set; }

    /// <summary>The name of the authorization policy that a user who acts must satisfy, besides what the page itself requires. Default null:
    /// none, which is accepted in Development only.</summary>
    public string? ActionsPolicy { get; set; }

    /// <summary>Whether the page is shown to all users in any environment. Default false: outside of Development it answers 404 unless the
    /// endpoints require authorization. For a port that only you can reach.</summary>
    public bool AllowAnonymousOutsideDevelopment { get; set; }

    /// <summary>Names of hosts under which the page may be asked for in Development, besides <c>localhost</c>, names that end with <c>.localhost</c>, and
    /// addresses; <c>*</c> allows all. Default: none.</summary>
    /// <remarks>In Development the page is open. A website that a developer visits can let a name of its own point to this machine, and would then read the
    /// page as its own. Where the endpoints require authorization, and outside of Development, hosts are not looked at
    /// (<c>RequireHost</c> does that).</remarks>
    public ISet<string> DevelopmentHosts { get; private set; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc/>
    protected override string Kind => "dashboard";

    /// <inheritdoc/>
    protected override PolicyOptions CopyCore()
    {
        ResilienceDashboardOptions copy = (ResilienceDashboardOptions)base.CopyCore();
        copy.DevelopmentHosts = new HashSet<string>(DevelopmentHosts, StringComparer.OrdinalIgnoreCase);
        return copy;
    }

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Span(nameof(Interval), Interval, TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(10));
        check.Number(nameof(MaxViewers), MaxViewers, 1, 1000);
        check.Number(nameof(MaxViewersPerClient), MaxViewersPerClient, 1, 1000);
        check.Number(nameof(MaxShown), MaxShown, 1, 1000);
        check.Number(nameof(MaxRecent), MaxRecent, 10, 1000);
        check.Require(TraceUrl is null || IsTraceUrl(TraceUrl), nameof(TraceUrl), TraceUrl, "an absolute address of http or https with {traceId} in it");
        check.Require(ActionsPolicy is null or { Length: > 0 }, nameof(ActionsPolicy), "empty", "the name of a policy, or null");
        check.Require(!EnableResolving || EnableActions, nameof(EnableResolving), EnableResolving, "false unless EnableActions is set");
        check.Require(ActionsPolicy is null || EnableActions, nameof(ActionsPolicy), ActionsPolicy, "null unless EnableActions is set");
    }

    private static bool IsTraceUrl(string text) => text.Contains("{traceId}", StringComparison.Ordinal)
        && Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps);
}

using System.Globalization;
using System.Text;

namespace Resilience;

/// <summary>What a policy is for; the check of the order knows policies by their role only.</summary>
public enum PolicyRole
{
    /// <summary>Something else, a policy of the user's.</summary>
    Other = 0,

    /// <summary>Limits the time of what it wraps.</summary>
    Timeout,

    /// <summary>Repeats what it wraps.</summary>
    Retry,

    /// <summary>Rejects calls to a dependency that is failing.</summary>
    CircuitBreaker,

    /// <summary>Puts something in the place of a failure.</summary>
    Fallback,

    /// <summary>Bounds how many calls run at once.</summary>
    ConcurrencyLimit,

    /// <summary>Bounds how many calls start in a span of time.</summary>
    RateLimit,

    /// <summary>Runs a second attempt beside a slow first one.</summary>
    Hedging,

    /// <summary>Makes sure that one key is executed once.</summary>
    Idempotency,

    /// <summary>Injects faults on purpose.</summary>
    Chaos,

    /// <summary>A pipeline inside a pipeline.</summary>
    Pipeline,
}

/// <summary>What a policy is and how it is set.</summary>
/// <param name="Name">The name of the policy in its pipeline.</param>
/// <param name="Role">What it is for.</param>
public sealed record PolicyDescription(string Name, PolicyRole Role)
{
    /// <summary>The options in effect, as a person reads them.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Options { get; init; } = [];

    /// <summary>For a timeout: how long.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>For a retry: the longest that the first wait can be. For hedging: how long the first attempt may take before the next one starts.</summary>
    public TimeSpan? FirstDelay { get; init; }

    /// <summary>For a retry: the sum of all waits when each is as long as it can be; null when unlimited.</summary>
    public TimeSpan? TotalDelay { get; init; }

    /// <summary>For a circuit breaker that judges a ratio over time: how far back it looks; otherwise null.</summary>
    public TimeSpan? SamplingWindow { get; init; }

    /// <summary>For a limit with a queue: how long a call may wait in it; null when calls do not wait.</summary>
    public TimeSpan? QueueWait { get; init; }

    /// <summary>How often the call can be started at the most; null when unlimited or not known.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>For a nested pipeline: its policies, outermost first.</summary>
    public IReadOnlyList<PolicyDescription> Inner { get; init; } = [];

    /// <inheritdoc/>
    public override string ToString()
    {
        StringBuilder text = new();
        Write(text, 0);
        return text.ToString().TrimEnd();
    }

    internal void Write(StringBuilder text, int depth)
    {
        text.Append(' ', depth * 2).Append(Name).Append(": ")
            .Append(Role).AppendJoin("", Options.Select(o => $", {o.Key} = {o.Value}")).AppendLine();
        foreach (PolicyDescription inner in Inner) inner.Write(text, depth + 1);
    }

    /// <summary>An option that is the user's code.</summary>
    internal static void AddIfOwn(List<KeyValuePair<string, string>> options, string name, Delegate? own)
    {
        if (own is not null) options.Add(new(name, "custom"));
    }

    /// <summary>Formats a time for people: "200 ms", "5 s", "unlimited".</summary>
    internal static string Format(TimeSpan span) => span == System.Threading.Timeout.InfiniteTimeSpan || span == TimeSpan.MaxValue
        ? "unlimited"
        : span.TotalSeconds < 1 ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0.###} ms")
        : string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.###} s");
}

/// <summary>What a pipeline is: its policies, outermost first, and what the check of their order has to say.</summary>
/// <param name="Name">The name of the pipeline, empty if it has none.</param>
/// <param name="Policies">Its policies, outermost first.</param>
/// <param name="Warnings">Findings about the order and the arithmetic of the options.</param>
public sealed record PipelineDescription(string Name, IReadOnlyList<PolicyDescription> Policies, IReadOnlyList<PipelineWarning> Warnings)
{
    /// <summary>What holds for the whole pipeline, as a person reads it: how outcomes are judged, whose time it is, what was accepted.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Settings { get; init; } = [];

    /// <summary>The chain as text: what holds for all of it, then a line a policy, warnings at the end.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        text.Append("pipeline '").Append(Name).Append("', outermost first:").AppendLine();
        if (Settings.Count > 0) text.Append("  (").AppendJoin(", ", Settings.Select(s => $"{s.Key} = {s.Value}")).Append(')').AppendLine();
        if (Policies.Count == 0) text.AppendLine("  (no policies: calls pass straight through)");
        foreach (PolicyDescription policy in Policies) policy.Write(text, 1);
        foreach (PipelineWarning warning in Warnings) text.Append("  warning ").Append(warning).AppendLine();
        return text.ToString().TrimEnd();
    }
}

/// <summary>A finding about a pipeline that will not do what its author probably wants.</summary>
/// <param name="Code">A stable code, <c>RES001</c> and so on; the documentation has a paragraph for each.</param>
/// <param name="Message">What is wrong and what to do, with the numbers.</param>
/// <param name="Policies">The names of the policies concerned, outermost first.</param>
public sealed record PipelineWarning(string Code, string Message, IReadOnlyList<string> Policies)
{
    /// <summary>True when something that was set can never take effect, whatever happens: an inner timeout that is as long as the outer one
    /// (RES007). False when it works, though perhaps not as well as it could.</summary>
    public bool IsContradiction { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Code}: {Message}";
}

using System.Globalization;
using System.Text;

namespace Resilience.Extensibility;

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

    /// <summary>Rules of the policy's own about where it stands and what it stands with, in addition to those of its <see cref="Role"/>. Called once for each
    /// place in which it stands, when a pipeline is built; what it throws is counted and swallowed. Default null.</summary>
    public Action<OrderCheck>? CheckOrder { get; init; }

    /// <summary><see cref="MaxAttempts"/> as text.</summary>
    internal string Attempts => MaxAttempts?.ToString(CultureInfo.InvariantCulture) ?? "unlimited";

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
}

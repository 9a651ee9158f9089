namespace Resilience.Testing;

/// <summary>What became of calls: of one class of criticality, or of all.</summary>
public sealed class CallCounts
{
    private LatencyHistogram? _latencies;

    internal CallCounts()
    {
    }

    /// <summary>Calls that were begun.</summary>
    public long Started { get; internal set; }

    /// <summary>Calls that ended well.</summary>
    public long Succeeded { get; private set; }

    /// <summary>Calls that ended with an error.</summary>
    public long Failed { get; private set; }

    /// <summary>Calls that a policy rejected.</summary>
    public long Rejected { get; private set; }

    /// <summary>The share of the calls that ended well, of those that have ended; 0 when none has.</summary>
    public double SuccessShare => Succeeded + Failed + Rejected is > 0 and long ended ? (double)Succeeded / ended : 0;

    /// <summary>How long the calls took that ended well.</summary>
    public LatencyHistogram Latencies => _latencies ??= new();

    internal void End(TimeSpan latency, Exception? error)
    {
        if (error is null)
        {
            Succeeded++;
            Latencies.Add(latency);
        }
        else if (error is ResilienceException)
        {
            Rejected++;
        }
        else
        {
            Failed++;
        }
    }
}

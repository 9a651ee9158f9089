using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>A counter whose listeners cannot break a call: what they throw is counted and swallowed.</summary>
/// <remarks>Who measures runs on the caller's thread, in the middle of our code. These three wrappers, and <see cref="Span"/>, are the only
/// way from a policy to a listener (a test looks for others), so that a link never throws and needs no <c>finally</c>.</remarks>
internal readonly struct SafeCounter<T>(Counter<T> counter)
    where T : struct
{
    internal bool Enabled => counter.Enabled;

    internal Instrument Instrument => counter;

    internal void Add(T delta, in TagList tags)
    {
        try
        {
            counter.Add(delta, tags);
        }
        catch (Exception error)
        {
            Safely.Report(SafeInstruments.Listener, error);
        }
    }

    /// <summary>The same with tags that are at hand.</summary>
    internal void Add(T delta, KeyValuePair<string, object?>[] tags)
    {
        try
        {
            counter.Add(delta, tags);
        }
        catch (Exception error)
        {
            Safely.Report(SafeInstruments.Listener, error);
        }
    }
}

using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>As <see cref="SafeCounter{T}"/>, for distributions.</summary>
internal readonly struct SafeHistogram<T>(Histogram<T> histogram)
    where T : struct
{
    internal bool Enabled => histogram.Enabled;

    internal void Record(T value, in TagList tags)
    {
        try
        {
            histogram.Record(value, tags);
        }
        catch (Exception error)
        {
            Safely.Report(SafeInstruments.Listener, error);
        }
    }

    /// <summary>The same with tags that are at hand.</summary>
    internal void Record(T value, KeyValuePair<string, object?>[] tags)
    {
        try
        {
            histogram.Record(value, tags);
        }
        catch (Exception error)
        {
            Safely.Report(SafeInstruments.Listener, error);
        }
    }
}

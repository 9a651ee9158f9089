using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>As <see cref="SafeCounter{T}"/>, for what goes up and down.</summary>
internal readonly struct SafeUpDownCounter<T>(UpDownCounter<T> counter)
    where T : struct
{
    internal bool Enabled => counter.Enabled;

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
}

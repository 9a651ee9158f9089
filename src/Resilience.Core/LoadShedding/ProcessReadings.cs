using System.Diagnostics.CodeAnalysis;

namespace Resilience;

/// <summary>What this process can be asked about its resources. Replaced in tests.</summary>
internal abstract class ProcessReadings
{
    internal static ProcessReadings Own { get; } = new OfThisProcess();

    /// <summary>Processor time used since the process began, of all threads.</summary>
    internal abstract TimeSpan ProcessorTime { get; }

    /// <summary>Processors that the process may use.</summary>
    internal abstract int Processors { get; }

    /// <summary>Memory in use as a share of the load at which the collector calls it high; 0 until it has collected once.</summary>
    internal abstract double MemoryLoad { get; }

    /// <summary>Work waits for a thread of the pool and runs there.</summary>
    internal abstract void Queue(IThreadPoolWorkItem work);

    private sealed class OfThisProcess : ProcessReadings
    {
        [SuppressMessage("Interoperability", "CA1416", Justification = "Where there is no such counter it says zero, and is a signal that rejects nothing.")]
        internal override TimeSpan ProcessorTime => IsUnmeasured ? TimeSpan.Zero : Environment.CpuUsage.TotalTime;

        internal override int Processors => Environment.ProcessorCount; // of the container, where it has a limit

        internal override double MemoryLoad
        {
            get
            {
                GCMemoryInfo memory = GC.GetGCMemoryInfo(GCKind.Any);
                return memory.HighMemoryLoadThresholdBytes > 0 ? (double)memory.MemoryLoadBytes / memory.HighMemoryLoadThresholdBytes : 0;
            }
        }

        internal override void Queue(IThreadPoolWorkItem work) => ThreadPool.UnsafeQueueUserWorkItem(work, preferLocal: false);

        private static bool IsUnmeasured => OperatingSystem.IsBrowser() || OperatingSystem.IsIOS() || OperatingSystem.IsTvOS();
    }
}

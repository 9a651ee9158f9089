namespace Resilience.Tests.Allocation;

/// <summary>Bytes allocated by one run of an action, exactly, after it has warmed up.</summary>
internal static class Allocated
{
    internal static double BytesPerRun(Action action, int runs = 1000)
    {
        // Tiered compilation may swap code (and allocate) while we look, so we take the best of several looks.
        double min = double.MaxValue;
        for (int look = 0; look < 20 && min > 0; look++)
        {
            for (int i = 0; i < 100; i++) action();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < runs; i++) action();
            min = Math.Min(min, (GC.GetAllocatedBytesForCurrentThread() - before) / (double)runs);
        }

        return min;
    }
}

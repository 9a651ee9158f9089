using System.Runtime.InteropServices;

namespace Resilience.StoreChaos;

/// <summary>What workers and their nemesis agree on.</summary>
public static class Machine
{
    /// <summary>The lease of all claims.</summary>
    public const int LeaseMs = 300;

    /// <summary>The machine's monotonic clock, the same for all processes.</summary>
    public static long NowMs => Environment.TickCount64;

    /// <summary>Sends a signal: 9 kills, 19 freezes, 18 thaws.</summary>
    /// <returns>True when it was delivered.</returns>
    public static bool Signal(int process, int signal) => Kill(process, signal) == 0;

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}

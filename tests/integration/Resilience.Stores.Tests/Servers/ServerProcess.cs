using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Resilience.StoreTests.Servers;

/// <summary>A server that runs as a process of ours: what it says is kept, and it ends when this is disposed.</summary>
internal sealed class ServerProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly StringBuilder _said = new();
    private readonly Process _process;

    internal ServerProcess(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment["LC_ALL"] = "C";
        start.WorkingDirectory = Path.GetTempPath();
        _process = new() { StartInfo = start };
        _process.OutputDataReceived += Keep;
        _process.ErrorDataReceived += Keep;
        _process.Start();
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    internal bool HasExited => _process.HasExited;

    internal string Said
    {
        get
        {
            lock (_said) return _said.ToString();
        }
    }

    /// <summary>SIGKILL: nothing is written back, no connection is closed in order. Children that notice end by themselves.</summary>
    internal void KillHard()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        WaitForExit();
    }

    internal void Signal(int signal)
    {
        if (!_process.HasExited) _ = Kill(_process.Id, signal);
        if (!_process.WaitForExit(Patience)) KillHard();
    }

    public void Dispose()
    {
        KillHard();
        _process.Dispose();
    }

    /// <summary>Asks until it is ready. The server is another process: there is nothing to await.</summary>
    internal async Task UntilReadyAsync(Func<Task<bool>> ask)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(start) < Patience)
        {
            if (HasExited) throw new InvalidOperationException("The server ended by itself: " + Said);
            if (await ask()) return;
            await Task.Delay(20);
        }

        throw new TimeoutException("The server did not become ready: " + Said);
    }

    /// <summary>Runs something to its end.</summary>
    internal static void Run(string program, params string[] arguments)
    {
        using ServerProcess once = new(program, arguments);
        once.WaitForExit();
        if (once._process.ExitCode != 0) throw new InvalidOperationException($"{program} ended with {once._process.ExitCode}: {once.Said}");
    }

    internal static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>A program that a test needs: without it the test fails, and says what to install.</summary>
    internal static string Find(string program, string package, IEnumerable<string> folders)
    {
        IEnumerable<string> path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        return folders.Concat(path).Select(f => Path.Combine(f, program)).FirstOrDefault(File.Exists)
            ?? throw new InvalidOperationException($"'{program}' is not installed, and these tests need the real server: apt-get install {package}");
    }

    private void WaitForExit()
    {
        if (!_process.WaitForExit(Patience)) throw new TimeoutException("It did not end: " + Said);
        _process.WaitForExit();
    }

    private void Keep(object sender, DataReceivedEventArgs e)
    {
        lock (_said) _said.AppendLine(e.Data);
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}

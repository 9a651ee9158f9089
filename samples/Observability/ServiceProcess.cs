using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Resilience.ObservabilitySample;

/// <summary>One of the two services as a process of its own; what it prints is its log.</summary>
internal sealed class ServiceProcess : IDisposable
{
    private readonly Process _process;
    private readonly StreamWriter _log;

    private ServiceProcess(string name, string folder, Process process, int port)
    {
        Port = port;
        _process = process;
        _log = new(new FileStream(PathOf(name, folder), FileMode.Create, FileAccess.Write, FileShare.Read)) { AutoFlush = true };
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is not { } text) return;
            lock (_log) _log.WriteLine(text);
        };
        process.BeginOutputReadLine();
    }

    internal int Port { get; }

    internal string Url => $"http://127.0.0.1:{Port}";

    internal static ServiceProcess Start(string name, string folder, params string[] arguments)
    {
        int port = FreePort();
        string host = Environment.ProcessPath!;
        List<string> all = [name, $"{port}", .. arguments, folder];
        if (Path.GetFileNameWithoutExtension(host) == "dotnet") all.Insert(0, typeof(ServiceProcess).Assembly.Location);
        ProcessStartInfo start = new(host, all) { RedirectStandardOutput = true };
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";       // where the live page is open to every client
        return new(name, folder, Process.Start(start)!, port);
    }

    internal static string PathOf(string name, string folder) => Path.Combine(folder, $"{name}.log.jsonl");

    internal static IEnumerable<string> LogOf(string name, string folder)
    {
        using StreamReader file = new(new FileStream(PathOf(name, folder), FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        string text = file.ReadToEnd();
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }

    internal async Task UntilListeningAsync(CancellationToken limit)
    {
        while (true)
        {
            if (_process.HasExited) throw new InvalidOperationException($"A service ended with {_process.ExitCode} before it listened.");
            try
            {
                using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(IPAddress.Loopback, Port, limit);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(50, limit);
            }
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit(); // to the end of its output
        _process.Dispose();
        _log.Dispose();
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

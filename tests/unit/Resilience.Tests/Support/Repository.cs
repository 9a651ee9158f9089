using System.Diagnostics;

namespace Resilience.Tests;

/// <summary>The files of the repository, found from the test's own folder upwards.</summary>
internal static class Repository
{
    internal static string Root { get; } = FindRoot();

    internal static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories)
            .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
                && !f.Contains($"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);

    internal static string Relative(string file) => Path.GetRelativePath(Root, file).Replace('\\', '/');

    /// <summary>How the tests were built, and what stands beside them.</summary>
    internal static string Configuration { get; } =
        AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Debug" : "Release";

    /// <summary>Runs a project that was built with the tests, which refer to it.</summary>
    internal static Task<(int ExitCode, string Output)> RunProjectAsync(string project, TimeSpan limit, params string[] arguments) =>
        RunAsync("dotnet", limit, ["run", "--project", project, "-c", Configuration, "--no-build", "--", .. arguments]);

    /// <summary>Runs a program in the root to its end and gives its exit code and all it printed.</summary>
    internal static Task<(int ExitCode, string Output)> RunAsync(string program, TimeSpan limit, params string[] arguments) =>
        RunAsync(program, limit, Root, [], arguments);

    /// <summary>Runs a program in a folder, with additional environment variables, to its end and gives its exit code and all it printed.</summary>
    internal static async Task<(int ExitCode, string Output)> RunAsync(
        string program, TimeSpan limit, string folder, Dictionary<string, string> environment, string[] arguments)
    {
        ProcessStartInfo start = new(program) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        using Process process = Process.Start(start)!;
        using CancellationTokenSource patience = new(limit);
        Task<string> output = process.StandardOutput.ReadToEndAsync(patience.Token), errors = process.StandardError.ReadToEndAsync(patience.Token);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end within {limit}.");
        }

        return (process.ExitCode, await output + await errors);
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Resilience.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The repository's root was not found above the test's folder.");
    }
}

using System.Collections.Concurrent;
using System.Reflection;

namespace Resilience.Tests.Support;

/// <summary>Decides which tests are skipped because their machine lacks something.</summary>
internal static class Requirements
{
    private const string AbsentInCi = "absent-in-ci.txt";

    private static readonly ConcurrentDictionary<string, string?> Missing = new();

    /// <summary>True when tests that use this fixture are skipped, so that it need not start anything.</summary>
    internal static bool AreMissingFor(Type fixture) => ReasonToSkip(fixture, null) is not null;

    /// <summary>Why a test is skipped; null when it runs.</summary>
    /// <param name="type">The class of the test.</param>
    /// <param name="method">Its method.</param>
    internal static string? ReasonToSkip(Type type, MethodInfo? method) =>
        ToolsOf(type, method).Distinct().Select(tool => Missing.GetOrAdd(tool, ReasonOf)).FirstOrDefault(reason => reason is not null);

    /// <summary>What the method, its class, the bases of the class and their fixtures ask for.</summary>
    internal static IEnumerable<string> ToolsOf(Type type, MethodInfo? method)
    {
        IEnumerable<Type> fixtures = type.GetInterfaces()
            .Where(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IClassFixture<>))
            .Select(i => i.GetGenericArguments()[0]);
        IEnumerable<MemberInfo?> members = [method, type, .. fixtures];
        return members.SelectMany(m => m?.GetCustomAttributes<RequiresAttribute>(inherit: true) ?? []).SelectMany(r => r.Tools);
    }

    /// <summary>The tools that may be missing in continuous integration, each with the reason that stands behind its colon.</summary>
    /// <exception cref="InvalidDataException">A tool is unknown, or has no reason.</exception>
    internal static Dictionary<string, string> ReadAbsentInCi(IEnumerable<string> lines)
    {
        Dictionary<string, string> absent = [];
        foreach (string line in lines.Where(l => l.Length > 0))
        {
            string[] parts = line.Split(':', 2, StringSplitOptions.TrimEntries);
            if (parts.Length < 2 || parts[1].Length == 0 || !Tool.Names.Contains(parts[0]))
                throw new InvalidDataException($"{AbsentInCi} has the line '{line}': a line is the name of a tool, a colon, and why it may be missing.");
            absent.Add(parts[0], parts[1]);
        }

        return absent;
    }

    private static string? ReasonOf(string tool)
    {
        if (Tool.WhyMissing(tool) is not { } reason) return null;
        bool mustRun = Environment.GetEnvironmentVariable("CI") == "true"
            && !ReadAbsentInCi(File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, AbsentInCi))).ContainsKey(tool);
        return mustRun ? null : reason;
    }
}

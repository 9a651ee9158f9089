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

    private static string? ReasonOf(string tool)
    {
        if (Tool.WhyMissing(tool) is not { } reason) return null;
        bool mustRun = Environment.GetEnvironmentVariable("CI") == "true" && !File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, AbsentInCi))
            .Contains(tool);
        return mustRun ? null : reason;
    }
}

using Microsoft.CodeAnalysis;

namespace Resilience.Tests.Architecture;

/// <summary>The framework's assemblies, for compilations in tests; read once.</summary>
internal static class References
{
    internal static IReadOnlyList<MetadataReference> Framework { get; } =
        All(name => name.StartsWith("System.", StringComparison.Ordinal)
            || name is "mscorlib.dll" or "netstandard.dll" or "Microsoft.CSharp.dll" or "Microsoft.Win32.Primitives.dll");

    /// <summary>The same with our packages and those that they build on.</summary>
    internal static IReadOnlyList<MetadataReference> Packages { get; } =
    [
        .. Framework,
        .. All(name => name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal) || name.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal)
            || name is "Microsoft.Data.Sqlite.dll" or "Npgsql.dll" or "StackExchange.Redis.dll"
            || name.StartsWith("Azure.", StringComparison.Ordinal) || name is "OpenAI.dll" or "Polly.dll" or "Polly.Core.dll"
            || name.StartsWith("Microsoft.EntityFrameworkCore", StringComparison.Ordinal)
            || name is "Google.Protobuf.dll" || name.StartsWith("Grpc.", StringComparison.Ordinal)
            || (name.StartsWith("Resilience.", StringComparison.Ordinal) && !name.Contains("Tests", StringComparison.Ordinal) && !name.Contains("Sample", StringComparison.Ordinal))),
    ];

    /// <summary>The same with the compiler, for analyzers.</summary>
    internal static IReadOnlyList<MetadataReference> WithCompiler { get; } =
        [.. Packages, .. All(name => name.StartsWith("Microsoft.CodeAnalysis", StringComparison.Ordinal))];

    private static MetadataReference[] All(Func<string, bool> isMeant) =>
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => isMeant(Path.GetFileName(p))).Select(p => MetadataReference.CreateFromFile(p)),
    ];
}

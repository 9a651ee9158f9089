using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>The types that the rules speak of, found once for each compilation.</summary>
internal sealed class Known
{
    private static readonly string[] TestFrameworks =
    [
        "xunit.core", "xunit.v3.core", "nunit.framework", "Microsoft.VisualStudio.TestPlatform.TestFramework", "MSTest.TestFramework", "TUnit.Core",
        "BenchmarkDotNet",
    ];

    private static readonly string[] Gates = ["CircuitBreaker", "CircuitBreakerPartitions", "RetryBudget", "ConcurrencyLimit"];

    private readonly INamedTypeSymbol _pipeline;
    private readonly INamedTypeSymbol? _pipelineOf;
    private readonly INamedTypeSymbol? _builder;
    private readonly INamedTypeSymbol? _builderOf;
    private readonly INamedTypeSymbol?[] _gates;

    private Known(Compilation compilation, INamedTypeSymbol pipeline)
    {
        _pipeline = pipeline;
        _pipelineOf = compilation.GetTypeByMetadataName("Resilience.ResiliencePipeline`1");
        _builder = compilation.GetTypeByMetadataName("Resilience.ResiliencePipelineBuilder");
        _builderOf = compilation.GetTypeByMetadataName("Resilience.ResiliencePipelineBuilder`1");
        _gates = [.. Gates.Select(g => compilation.GetTypeByMetadataName("Resilience." + g))];
        Context = compilation.GetTypeByMetadataName("Resilience.ResilienceContext");
        Token = compilation.GetTypeByMetadataName("System.Threading.CancellationToken");
        HttpClient = compilation.GetTypeByMetadataName("System.Net.Http.HttpClient");
        TimeSpan = compilation.GetTypeByMetadataName("System.TimeSpan");
        Exception = compilation.GetTypeByMetadataName("System.Exception");
        Compilation = compilation;
        IsTestProject = compilation.ReferencedAssemblyNames.Any(a => TestFrameworks.Contains(a.Name, StringComparer.OrdinalIgnoreCase));
    }

    internal Compilation Compilation { get; }

    internal INamedTypeSymbol? Context { get; }

    internal INamedTypeSymbol? Token { get; }

    internal INamedTypeSymbol? HttpClient { get; }

    internal INamedTypeSymbol? TimeSpan { get; }

    internal INamedTypeSymbol? Exception { get; }

    /// <summary>A test wants a fresh pipeline, and a benchmark may measure the building of one.</summary>
    internal bool IsTestProject { get; }

    /// <summary>Null when the compilation does not know pipelines: then there is nothing to look for.</summary>
    internal static Known? From(Compilation compilation) =>
        compilation.GetTypeByMetadataName("Resilience.ResiliencePipeline") is { } pipeline ? new(compilation, pipeline) : null;

    internal bool IsPipeline(ITypeSymbol? type) => Is(type, _pipeline) || Is(type, _pipelineOf);

    /// <summary>Something that works by being shared, besides pipelines.</summary>
    internal bool IsGate(ITypeSymbol? type) => _gates.Any(g => Is(type, g));

    internal bool IsExecution(IInvocationOperation call) =>
        call.TargetMethod.Name is "ExecuteAsync" or "TryExecuteAsync" or "Execute" or "TryExecute" && IsPipeline(call.TargetMethod.ContainingType);

    internal bool IsAsynchronousExecution(IInvocationOperation call) =>
        call.TargetMethod.Name is "ExecuteAsync" or "TryExecuteAsync" && IsPipeline(call.TargetMethod.ContainingType);

    /// <summary>What a call gives, without task and outcome around it; null when it gives nothing.</summary>
    internal ITypeSymbol? ResultOf(IInvocationOperation execution)
    {
        IMethodSymbol method = execution.TargetMethod;
        if (Is(method.ContainingType, _pipelineOf)) return method.ContainingType.TypeArguments[0];
        int place = method.OriginalDefinition.TypeParameters.Select(static p => p.Name).ToList().IndexOf("T");
        return place < 0 ? null : method.TypeArguments[place];
    }

    internal bool IsBuild(IInvocationOperation call) =>
        call.TargetMethod.Name == "Build" && (Is(call.TargetMethod.ContainingType, _builder) || Is(call.TargetMethod.ContainingType, _builderOf));

    internal bool IsToken(ITypeSymbol? type) => Is(type, Token);

    internal static bool Is(ITypeSymbol? type, INamedTypeSymbol? wanted) =>
        wanted is not null && SymbolEqualityComparer.Default.Equals(type?.OriginalDefinition, wanted);
}

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Architecture;

/// <summary>"A link never throws" is kept at its sources: what is a listener's or a user's is called in a few places, which catch. This reads the
/// sources of the core for calls anywhere else.</summary>
public sealed class CallOutSourceTests
{
    /// <summary>What may throw because it runs code of others, by the type that has the member (null: any), and the files that may call it.</summary>
    private static readonly (string Type, string Member, string[] Homes)[] CallOuts =
    [
        ("System.Diagnostics.Metrics.Counter<T>", "Add", ["Telemetry/SafeCounter.cs"]),
        ("System.Diagnostics.Metrics.UpDownCounter<T>", "Add", ["Telemetry/SafeUpDownCounter.cs"]),
        ("System.Diagnostics.Metrics.Histogram<T>", "Record", ["Telemetry/SafeHistogram.cs"]),
        ("System.Diagnostics.Metrics.Gauge<T>", "Record", ["Telemetry/SafeInstruments.cs"]),
        ("System.Diagnostics.Metrics.Meter", "Create*", ["Telemetry/SafeInstruments.cs"]),
        ("System.Diagnostics.ActivitySource", ".ctor", ["Telemetry/Span.cs"]),
        ("System.Diagnostics.ActivitySource", "*Activity", ["Telemetry/Span.cs"]),
        ("System.Diagnostics.Activity", "*", ["Telemetry/Span.cs", "Telemetry/SpanEvents.cs"]),
        ("System.TimeProvider", "GetTimestamp", ["Threading/SafeTime.cs", "Threading/Clock.cs"]),
        ("System.TimeProvider", "GetUtcNow", ["Threading/SafeTime.cs"]),
        ("System.TimeProvider", "CreateTimer", ["Threading/SafeTime.cs"]),
        ("Resilience.Extensibility.Randomness", "NextDouble", ["Threading/SafeRandomness.cs", "Retry/Backoff.cs"]), // Backoff: RetryPolicy.Computed guards it
        ("Resilience.Extensibility.ICarriesRejection", "Rejection", ["Outcomes/SafeRejection.cs"]),
        ("Resilience.Extensibility.ICarriesRejection", "RetryAfter", ["Outcomes/SafeRejection.cs"]),
        ("Resilience.Rejection", "ToException", ["Outcomes/SafeRejection.cs"]),
        ("Resilience.Rejection", "RetryAfter", ["Outcomes/SafeRejection.cs", "Outcomes/ResilienceException.cs"]), // there inside of ToException
        ("Resilience.Rejection", "Reason", ["Outcomes/SafeRejection.cs", "Outcomes/ResilienceException.cs", "Outcomes/Rejection.cs"]),
        ("System.Exception", "Message", ["Telemetry/Safely.cs"]),
        ("System.Exception", "Source", ["Telemetry/Safely.cs"]),
        ("System.Exception", "StackTrace", ["Execution/Cancelled.cs"]), // there, and below, of exactly a class of the framework
        ("System.Exception", "HelpLink", ["Execution/Cancelled.cs"]),
        ("System.Exception", "Data", ["Execution/Cancelled.cs", "Outcomes/DefaultVerdicts.cs"]),
        ("System.Exception", "GetBaseException", []),
        ("System.Data.Common.DbException", "*", ["Outcomes/DatabaseVerdicts.cs"]), // there through Safely
        ("Resilience.Extensibility.ResiliencePolicy", "Describe", ["Policies/ResiliencePolicy.cs"]),
        ("Resilience.Extensibility.ResiliencePolicy", "State", ["Policies/ResiliencePolicy.cs"]),
        ("Resilience.Extensibility.ResiliencePolicy", "TakeEffect", ["Policies/ResiliencePolicy.cs"]),
        ("Resilience.Extensibility.IPolicyStatus", "GetStatus", ["Policies/PolicyState.cs"]),
        ("Resilience.Extensibility.AdmissionPolicy", "TryEnter", ["Execution/AdmissionPolicy.cs"]),
        ("Resilience.Extensibility.AdmissionPolicy", "Exit", ["Execution/AdmissionPolicy.cs"]),
        ("System.Threading.Tasks.Task", "Delay", []), // it goes on behind all that is queued in the pool: ClockWait does not
        ("System.IDisposable", "Dispose", ["Telemetry/Safely.cs"]),
        ("System.IAsyncDisposable", "DisposeAsync", ["Telemetry/Safely.cs"]),
    ];

    /// <summary>Of an <c>Activity</c> these only read.</summary>
    private static readonly string[] Reads = ["IsAllDataRequested", "IsStopped", "Source", "Parent", "OperationName", "Id", "IdFormat", "TraceId", "SpanId"];

    /// <summary>Time that has been made safe before: these ask it under the name of the class that is not.</summary>
    private static readonly string[] SafeTimes = ["Time", "time", "_time", "clock.Time", "Clock.Time", "Resilience.Time", "resilience.Time"];

    /// <summary>The same in the packages around the core, whose home are the files of <c>Guards</c>. What is named here beside them runs inside of
    /// <c>SafeCalls</c>, in a rule of the classifier, or in an operation of a store, which may throw what it likes. Of drivers' exceptions the
    /// message is a field.</summary>
    private static readonly (string Type, string Member, string[] Homes)[] OfPackages =
    [
        ("System.Diagnostics.Metrics.Counter<T>", "Add", ["Guards/SafeCalls.cs", "Configuration/ReloadTelemetry.cs", "RateLimiting/RateLimiterTelemetry.cs",
            "Deadlines/RequestDeadlineTelemetry.cs"]),
        ("System.Diagnostics.Metrics.Histogram<T>", "Record", ["RateLimiting/RateLimiterTelemetry.cs", "Deadlines/RequestDeadlineTelemetry.cs"]),
        ("System.Diagnostics.Metrics.Meter", "Create*", ["Guards/SafeCalls.cs", "Configuration/ReloadTelemetry.cs", "RateLimiting/RateLimiterTelemetry.cs",
            "Deadlines/RequestDeadlineTelemetry.cs"]),
        ("System.Diagnostics.Metrics.IMeterFactory", "Create", ["Guards/SafeCalls.cs"]),
        ("System.Diagnostics.ActivitySource", ".ctor", []),
        ("System.Diagnostics.ActivitySource", "*Activity", []),
        ("System.Diagnostics.Activity", "*", ["Guards/SafeCalls.cs", "RateLimiting/RateLimiterTelemetry.cs"]),
        ("System.TimeProvider", "GetTimestamp", ["Guards/GuardedTime.cs"]),
        ("System.TimeProvider", "GetUtcNow",
            ["Guards/GuardedTime.cs", "RateLimiting/RateLimitRejection.cs", "Http/HttpClassifier.cs", "SqliteRecords.cs"]),
        ("System.TimeProvider", "CreateTimer", ["Guards/GuardedTime.cs"]),
        ("Resilience.Extensibility.Randomness", "NextDouble", []),
        ("Resilience.Extensibility.ICarriesRejection", "Rejection", []),
        ("Resilience.Extensibility.ICarriesRejection", "RetryAfter", []),
        ("Resilience.Rejection", "ToException", []),
        ("Microsoft.Extensions.Logging.ILoggerFactory", "CreateLogger", ["Guards/SafeLogger.cs"]),
        ("Microsoft.Extensions.Logging.LoggerFactoryExtensions", "CreateLogger", []),
        ("Microsoft.Extensions.Logging.LoggerExtensions", "*", []),
        ("Microsoft.Extensions.Logging.ILogger", "*", ["Guards/SafeLogger.cs", "Logging/EventLog.cs"]), // there around the guarded one
        ("System.Exception", "Message",
        [
            "Guards/SafeCalls.cs", "Http/Bodies/IdleReadContent.cs", // there one of ours
            "SqliteRecords.cs", "Errors/PostgresErrors.cs", "Idempotency/Records/RecordErrors.cs",
            "RedisFaults.cs", "RedisIdempotencyStore.cs", "RedisClassifierExtensions.cs",
        ]),
        ("System.Exception", "Source", ["EntityFrameworkClassifier.cs"]),
        ("System.Exception", "Data", ["Strategy/DatabaseCall.cs"]),
        ("System.Exception", "GetBaseException", []),
        ("System.AggregateException", "Inner*", []),
    ];

    private static readonly string[] Packages =
    [
        "Resilience.Extensions", "Resilience.AspNetCore", "Resilience.HealthChecks", "Resilience.Grpc", "Resilience.Grpc.AspNetCore",
        "Resilience.Sqlite", "Resilience.PostgreSql", "Resilience.Redis", "Resilience.SqlServer", "Resilience.Polly",
        "Resilience.Aws", "Resilience.Azure", "Resilience.ClientModel", "Resilience.EntityFrameworkCore",
    ];

    private static List<string> Unguarded(IEnumerable<(string File, string Text)> sources) => Unguarded(sources, CallOuts, References.Framework, isWhole: true);

    private static List<string> UnguardedOfPackage(IEnumerable<(string File, string Text)> sources) =>
        Unguarded(sources, OfPackages, References.Packages, isWhole: false); // without what is generated: log lines

    private static List<string> Unguarded(
        IEnumerable<(string File, string Text)> sources,
        (string Type, string Member, string[] Homes)[] table,
        IEnumerable<MetadataReference> references,
        bool isWhole)
    {
        const string Usings = """
            global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http;
            global using System.Threading; global using System.Threading.Tasks;
            """;
        SyntaxTree[] trees = [.. sources.Append(("Usings.cs", Usings)).Select(s => CSharpSyntaxTree.ParseText(s.Item2, path: s.Item1))];
        CSharpCompilation compilation = CSharpCompilation.Create("CallOuts", trees, references, new(OutputKind.DynamicallyLinkedLibrary));
        List<string> found = [.. compilation.GetDiagnostics().Where(d => isWhole && d.Severity == DiagnosticSeverity.Error).Select(d => $"not read: {d}")];
        foreach (SyntaxTree tree in trees)
        {
            SemanticModel model = compilation.GetSemanticModel(tree);
            foreach (ExpressionSyntax expression in tree.GetRoot().DescendantNodes().OfType<ExpressionSyntax>())
            {
                bool isInPattern = expression is IdentifierNameSyntax { Parent: NameColonSyntax { Parent: SubpatternSyntax } };
                bool isCall = expression is MemberAccessExpressionSyntax or MemberBindingExpressionSyntax or BaseObjectCreationExpressionSyntax;
                if (!isCall && !isInPattern) continue;
                if (model.GetSymbolInfo(expression).Symbol is not { ContainingType: { } owner } member) continue;
                if (Home(table, owner, member) is not { } homes || homes.Contains(tree.FilePath) || IsSafeTime(expression, owner)) continue;
                found.Add($"{tree.FilePath}: {owner.Name}.{member.Name} is called outside of {string.Join(", ", homes)}");
            }
        }

        return [.. found.Distinct()];
    }

    private static string[]? Home((string Type, string Member, string[] Homes)[] table, INamedTypeSymbol owner, ISymbol member)
    {
        string type = owner.OriginalDefinition.ToDisplayString();
        if (type == "System.Diagnostics.Activity" && (member.IsStatic || Reads.Contains(member.Name))) return null;
        return table.FirstOrDefault(c => c.Type == type && Matches(c.Member, member.Name)).Homes;
    }

    private static bool Matches(string pattern, string name) => pattern switch
    {
        ['*', .. string end] => name.EndsWith(end, StringComparison.Ordinal),
        [.. string start, '*'] => name.StartsWith(start, StringComparison.Ordinal),
        _ => pattern == name,
    };

    /// <summary>Also a class of ours may be asked for what it inherits, and the system's own time does not throw.</summary>
    private static bool IsSafeTime(ExpressionSyntax expression, INamedTypeSymbol owner)
    {
        if (owner.Name is not "TimeProvider" || expression is not MemberAccessExpressionSyntax access) return false;
        string asked = access.Expression.ToString();
        return asked is "TimeProvider.System" or "System" || SafeTimes.Any(safe => asked == safe || asked.EndsWith($".{safe}", StringComparison.Ordinal));
    }

    private static IEnumerable<(string File, string Text)> Sources(string project = "Resilience.Core")
    {
        string root = Path.Combine(Repository.Root, "src", project);
        return Repository.Files($"src/{project}", "*.cs").Select(f => (Path.GetRelativePath(root, f).Replace('\\', '/'), File.ReadAllText(f)));
    }

    [Fact]
    public void What_runs_code_of_others_is_called_only_where_it_is_caught() => Unguarded(Sources()).ShouldBeNone();

    private static readonly (string Call, string Argument)[] Planted =
    [
        ("counter.Add(1);", "System.Diagnostics.Metrics.Counter<long> counter"),
        ("counter.Add(-1);", "System.Diagnostics.Metrics.UpDownCounter<long> counter"),
        ("times.Record(1);", "System.Diagnostics.Metrics.Histogram<double> times"),
        ("meter.CreateCounter<long>(\"x\");", "System.Diagnostics.Metrics.Meter meter"),
        ("source.StartActivity(\"x\");", "System.Diagnostics.ActivitySource source"),
        ("_ = new System.Diagnostics.ActivitySource(\"x\");", "int nothing"),
        ("span.SetTag(\"x\", 1);", "System.Diagnostics.Activity span"),
        ("span?.AddEvent(default);", "System.Diagnostics.Activity? span"),
        ("provider.GetTimestamp();", "TimeProvider provider"),
        ("environment.TimeProvider.GetUtcNow();", "PolicyEnvironment environment"),
        ("chance.NextDouble();", "Randomness chance"),
        ("_ = carrier.RetryAfter;", "ICarriesRejection carrier"),
        ("rejection.ToException();", "Rejection rejection"),
        ("_ = rejection.Reason;", "Rejection rejection"),
        ("_ = error.Message;", "Exception error"),
        ("_ = error is { Message: \"x\" };", "Exception error"),
        ("_ = error is InvalidOperationException { Source: { } source };", "Exception error"),
        ("_ = error is System.Data.Common.DbException { IsTransient: true };", "Exception error"),
        ("_ = error.Data;", "Exception error"),
        ("policy.Describe();", "ResiliencePolicy policy"),
        ("_ = Task.Delay(time, TimeProvider.System, default);", "TimeSpan time"),
        ("result.Dispose();", "IDisposable result"),
    ];

    [Fact]
    public void A_planted_call_of_each_sort_is_found()
    {
        IEnumerable<(string, string)> planted = Planted.Select((p, i) => ($"Limiting/Planted{i}.cs", $$"""
            #nullable enable
            using Resilience.Extensibility; namespace Resilience; internal static class Planted{{i}} { internal static void Here({{p.Argument}}) { {{p.Call}} } }
            """));
        Unguarded(Sources().Concat(planted)).Select(found => found.Split(':')[0]).Should().BeEquivalentTo(Planted.Select((_, i) => $"Limiting/Planted{i}.cs"));
    }

    public static TheoryData<string> AllPackages() => [.. Packages];

    [Theory]
    [MemberData(nameof(AllPackages))]
    public void In_the_packages_too_what_runs_code_of_others_is_called_only_where_it_is_caught(string package) =>
        UnguardedOfPackage(Sources(package)).ShouldBeNone();

    [Fact]
    public void Every_package_is_read()
    {
        string[] others = ["Resilience.Core", "Resilience.Analyzers", "Resilience.CodeFixes", "Resilience.Migration", "Resilience.Migration.Analyzers", "Resilience.Testing"]; // the core is above; no tool runs in an application
        string[] all = [.. Directory.GetDirectories(Path.Combine(Repository.Root, "src"), "Resilience.*").Select(d => Path.GetFileName(d))];
        all.Except(others).Should().BeEquivalentTo(Packages);
    }

    private static readonly (string Call, string Argument)[] PlantedInPackages =
    [
        ("counter.Add(1);", "System.Diagnostics.Metrics.Counter<long> counter"),
        ("times.Record(1);", "System.Diagnostics.Metrics.Histogram<double> times"),
        ("meter.CreateCounter<long>(\"x\");", "System.Diagnostics.Metrics.Meter meter"),
        ("factory.Create(new System.Diagnostics.Metrics.MeterOptions(\"x\"));", "System.Diagnostics.Metrics.IMeterFactory factory"),
        ("source.StartActivity(\"x\");", "System.Diagnostics.ActivitySource source"),
        ("span.SetTag(\"x\", 1);", "System.Diagnostics.Activity span"),
        ("provider.GetTimestamp();", "TimeProvider provider"),
        ("environment.TimeProvider.GetUtcNow();", "PolicyEnvironment environment"),
        ("chance.NextDouble();", "Randomness chance"),
        ("_ = carrier.RetryAfter;", "ICarriesRejection carrier"),
        ("rejection.ToException();", "Rejection rejection"),
        ("logs.CreateLogger(\"x\");", "Microsoft.Extensions.Logging.ILoggerFactory logs"),
        ("Microsoft.Extensions.Logging.LoggerExtensions.LogError(log, \"x\");", "Microsoft.Extensions.Logging.ILogger log"),
        ("log.IsEnabled(default);", "Microsoft.Extensions.Logging.ILogger log"),
        ("_ = error.Message;", "Exception error"),
        ("_ = error is { Message: \"x\" };", "Exception error"),
        ("_ = error.InnerExceptions;", "AggregateException error"),
        ("_ = error.GetBaseException();", "Exception error"),
    ];

    [Theory]
    [MemberData(nameof(AllPackages))]
    public void A_planted_call_in_a_package_is_found(string package)
    {
        IEnumerable<(string, string)> planted = PlantedInPackages.Select((p, i) => ($"Http/Planted{i}.cs", $$"""
            #nullable enable
            using Resilience.Extensibility; namespace Resilience; internal static class Planted{{i}} { internal static void Here({{p.Argument}}) { {{p.Call}} } }
            """));
        UnguardedOfPackage(Sources(package).Concat(planted)).Select(found => found.Split(':')[0])
            .Should().BeEquivalentTo(PlantedInPackages.Select((_, i) => $"Http/Planted{i}.cs"));
    }
}

using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Architecture;

/// <summary>A policy is known by name in its own folder. What names a type that this folder declares elsewhere stands in a short list that is reviewed
/// (decision 0048).</summary>
public sealed class PolicyMentionsTests
{
    private const string Stores = "src/Resilience.Core/Idempotency/StoreAccess/StoreCalls.cs";

    /// <summary>The one table of policies: their keys and their rules of the order.</summary>
    private const string Table = "src/Resilience.Core/Standard/StandardPolicies.cs";

    /// <summary>The folder of each policy, and where else one of its types is named, and why. The lists are held exactly: what goes is taken off.</summary>
    private static readonly Dictionary<string, string[]> Reviewed = new()
    {
        ["src/Resilience.Core/Retry"] =
        [
            Http("StandardResilienceOptions"), Stores, // the fixed pipelines of an HttpClient and of a store are made of our policies
            // The RetryPolicy of an SDK.
            "src/Resilience.Azure/AzureClientOptionsExtensions.cs", "src/Resilience.ClientModel/ClientPipelineOptionsExtensions.cs",
            Grpc("Verdicts/PushbackWaits"), Grpc("GrpcRetryBuilderExtensions"),
            Grpc("Options/GrpcResilienceOptions"),
            Grpc("DependencyInjection/GrpcClientSetup"), // it reads the retry policy of a service config
            Table,
        ],
        ["src/Resilience.Core/Budget"] =
        [
            .. Core("Retry", "RetryLink", "RetryOptions", "RetryPolicy"), .. Core("Hedging", "HedgingOptions", "HedgingPolicy"), // the two that pay from it
            Stores, Http("HttpAuthority"), Grpc("GrpcTarget"), Grpc("Options/GrpcResilienceOptions"), // one account for each server
        ],
        ["src/Resilience.Core/CircuitBreaker"] =
        [
            "src/Resilience.AspNetCore/Dashboard/DashboardActions.cs", "src/Resilience.AspNetCore/Dashboard/DashboardReader.cs", // its card and its buttons
            "src/Resilience.AspNetCore/Dashboard/DashboardRecent.cs", // a change of state in the list of what happened last
            "src/Resilience.Extensions/DependencyInjection/IdempotencyRegistration.cs",
            Http("HttpAuthority"), Http("HttpResilience"), Http("StandardResilienceOptions"),
            Simulated("Simulation"), Simulated("SimulationInterval"), Simulated("SimulationReport"), // the report lists the changes of circuits
            Grpc("Options/GrpcResilienceOptions"), Grpc("Options/GrpcPipelineOptions"), Grpc("GrpcTarget"),
            Grpc("Calls/ServerStream"), // a break of a stream after its first message is reported
            Table,
        ],
        ["src/Resilience.Core/Timeout"] =
            [Http("StandardResilienceOptions"), Stores, Grpc("Options/GrpcResilienceOptions"), Grpc("Options/GrpcClientOptions"), Table],
        ["src/Resilience.Core/Limiting"] =
        [
            Http("HttpAuthority"), Http("StandardResilienceOptions"),
            Grpc("Options/GrpcResilienceOptions"), Grpc("Options/GrpcPipelineOptions"), Grpc("GrpcTarget"),
            Grpc("Calls/AttemptFailure"), // its rejection has a status of gRPC
            Table,
        ],
        // The last but one reads the hedging policy of a service config.
        ["src/Resilience.Core/Hedging"] = [Grpc("Options/GrpcResilienceOptions"), Grpc("DependencyInjection/GrpcClientSetup"), Table],
        ["src/Resilience.Core/Fallback"] =
        [
            "src/Resilience.AspNetCore/Idempotency/SignIn.cs", // the FallbackPolicy of ASP.NET Core's authorization, no policy of ours
            Table,
        ],
        ["src/Resilience.Core/Chaos"] =
        [
            "src/Resilience.AspNetCore/Dashboard/DashboardActions.cs", "src/Resilience.AspNetCore/Dashboard/DashboardReader.cs", // the button that turns it off
            "src/Resilience.Extensions/DependencyInjection/HttpChaosBuilderExtensions.cs", "src/Resilience.Extensions/DependencyInjection/HttpChaosClient.cs",
            Http("HttpChaos"), Http("HttpChaosHandler"), Table,
        ],
        ["src/Resilience.Core/Throttling"] = [Table],
        ["src/Resilience.Core/AdaptiveLimiting"] =
        [
            Rate("AdaptiveLimitRateLimitingExtensions"), Rate("HeldLease"), Rate("HeldLeases"), // the same as a limiter of the framework
            .. Core("LoadShedding", "LoadShedder", "LoadShedderOptions", "ShedAdmission", "ShedRejections"), // such a limit with signals around it
            Table,
        ],
        ["src/Resilience.Core/Endpoints"] =
        [
            "src/Resilience.Extensions/DependencyInjection/EndpointRegistration.cs",
            "src/Resilience.Extensions/DependencyInjection/HttpEndpointsBuilderExtensions.cs", // the set of a client
            "src/Resilience.Extensions/DependencyInjection/HttpResilienceProvider.cs", Http("EndpointAddress"), Http("StandardResilienceOptions"), Table,
        ],
        ["src/Resilience.Core/LoadShedding"] = [.. Server("LoadShedders", "LoadSheddingMiddleware", "LoadSheddingOptions", "ServedRequest")],
        // Its claims, keys and records are the contract with the stores, in folders of their own, and named by all who keep or send them.
        ["src/Resilience.Core/Idempotency/Policy"] = [Table],
        ["src/Resilience.Extensions/Calls"] = [], // a pipeline inside of another that makes calls of its own
        ["src/Resilience.Extensions/RateLimiting"] = [Grpc("Calls/AttemptFailure")], // its rejection has a status of gRPC
    };

    private static IEnumerable<string> Core(string folder, params string[] types) => types.Select(t => $"src/Resilience.Core/{folder}/{t}.cs");

    private static IEnumerable<string> Server(params string[] types) => types.Select(t => $"src/Resilience.AspNetCore/LoadShedding/{t}.cs");

    private static string Rate(string type) => $"src/Resilience.Extensions/RateLimiting/{type}.cs";

    private static string Simulated(string type) => $"src/Resilience.Testing/Simulation/{type}.cs";

    private static string Grpc(string type) => $"src/Resilience.Grpc/{type}.cs";

    private static string Http(string type) => $"src/Resilience.Extensions/Http/{type}.cs";

    private readonly record struct Source(string File, CompilationUnitSyntax Root)
    {
        internal static Source Of(string file, string text) => new(file, CSharpSyntaxTree.ParseText(text).GetCompilationUnitRoot());

        internal IEnumerable<BaseTypeDeclarationSyntax> Types =>
            Root.Members.SelectMany(m => m is BaseNamespaceDeclarationSyntax space ? (IEnumerable<MemberDeclarationSyntax>)space.Members : [m])
                .OfType<BaseTypeDeclarationSyntax>();
    }

    private static bool IsIn(string file, string folder) => file.StartsWith(folder + "/", StringComparison.Ordinal);

    /// <summary>The files outside of a folder that name a type which it declares.</summary>
    private static IEnumerable<string> Mentions(string folder, IReadOnlyCollection<Source> sources)
    {
        HashSet<string> types = [.. sources.Where(s => IsIn(s.File, folder)).SelectMany(s => s.Types).Select(t => t.Identifier.Text)];
        return sources.Where(s => !IsIn(s.File, folder) && s.Root.DescendantNodes().Any(n => NameOf(n) is { } name && types.Contains(name))).Select(s => s.File);
    }

    /// <summary>A name that is used; not a role, which says what a policy is for, whose ever it is.</summary>
    private static string? NameOf(SyntaxNode node) => node switch
    {
        SimpleNameSyntax { Parent: MemberAccessExpressionSyntax { Expression: IdentifierNameSyntax { Identifier.Text: "PolicyRole" } } } => null,
        SimpleNameSyntax name => name.Identifier.Text,
        _ => null,
    };

    private static readonly Lazy<Source[]> Shipped = new(() =>
    [
        .. Repository.Files("src", "*.cs").Select(f => (File: Repository.Relative(f), Path: f))
            .Where(s => !s.File.Contains("Resilience.Analyzers", StringComparison.Ordinal) && !s.File.Contains("Resilience.CodeFixes", StringComparison.Ordinal)
                && !s.File.Contains("Resilience.Migration", StringComparison.Ordinal)).Select(s => Source.Of(s.File, File.ReadAllText(s.Path))),
    ]);

    public static TheoryData<string> Folders => [.. Reviewed.Keys];

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_policy_is_named_elsewhere_only_where_that_was_reviewed(string folder)
    {
        string[] found = [.. Mentions(folder, Shipped.Value)];
        found.Except(Reviewed[folder]).Select(f => $"{f} names a type of {folder}: let its options, its description or its status say it")
            .Concat(Reviewed[folder].Except(found).Select(f => $"{f} names none of {folder} any more: take it off the list")).ShouldBeNone();
    }

    /// <summary>How many files each list has: a change of it is one line to read.</summary>
    [Fact]
    public void The_lists_have_so_many_files() =>
        string.Join(", ", Reviewed.Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Key[(r.Key.IndexOf('/', 4) + 1)..]} {r.Value.Length}")))
            .Should().Be(
                "Retry 9, Budget 9, CircuitBreaker 15, Timeout 5, Limiting 7, Hedging 3, Fallback 2, Chaos 7, Throttling 1, AdaptiveLimiting 8, Endpoints 6, "
                + "LoadShedding 4, Idempotency/Policy 1, Calls 0, RateLimiting 1");

    /// <summary>Folders that declare a policy, or of the core the options of one, and have no row. A pipeline within a pipeline is no policy with options of
    /// its own, what stands in the root of a package is named by the package, and the options of stores and endpoints belong to no policy.</summary>
    private static IEnumerable<string> WithoutARow(IEnumerable<Source> sources) => sources
        .Where(s => s.Types.OfType<ClassDeclarationSyntax>().Any(t => IsOfAPolicy(t, IsIn(s.File, "src/Resilience.Core"))))
        .Select(s => s.File[..s.File.LastIndexOf('/')]).Distinct().Where(f => f.Count(c => c == '/') > 1)
        .Except(["src/Resilience.Core/Pipeline", "src/Resilience.Core/Idempotency/Options", "src/Resilience.Core/Idempotency/InMemory"])
        .Except(Reviewed.Keys);

    private static bool IsOfAPolicy(ClassDeclarationSyntax type, bool isOfCore) =>
        !type.Modifiers.Any(m => m.IsKind(SyntaxKind.AbstractKeyword))
            && type.BaseList?.Types.Any(b => b.Type.ToString() is "ResiliencePolicy" || (isOfCore && b.Type.ToString() is "PolicyOptions")) == true;

    [Fact]
    public void Every_folder_of_a_policy_has_a_row()
    {
        WithoutARow(Shipped.Value).ShouldBeNone();
        Reviewed.Keys.Should().OnlyContain(f => Directory.Exists(Path.Combine(Repository.Root, f)));
        WithoutARow(
        [
            Source.Of("src/Resilience.Core/Bulkhead/A.cs", "namespace N; sealed class A : ResiliencePolicy;"),
            Source.Of("src/Resilience.Core/Quota/A.cs", "sealed class A : PolicyOptions;"),
            Source.Of("src/Resilience.Extensions/Caching/A.cs", "class A(int b) : ResiliencePolicy, IB;"),
        ]).Should().Equal("src/Resilience.Core/Bulkhead", "src/Resilience.Core/Quota", "src/Resilience.Extensions/Caching");
    }

    [Theory]
    [InlineData("src/Resilience.Core/Pipeline/A.cs", "class A { object M() => new RetryOptions(); }", true)]
    [InlineData("src/Resilience.AspNetCore/A.cs", "class A { bool M(object o) => o is RetryPolicy; }", true)]
    [InlineData("src/Resilience.AspNetCore/A.cs", "class A { string M(object o) => o switch { RetryStopped e => \"\", _ => \"\" }; }", true)]
    [InlineData("src/Resilience.Core/Pipeline/A.cs", "using Resilience; class A : System.Collections.Generic.List<RetryOptions> { }", true)]
    [InlineData("src/Resilience.AspNetCore/Retry/A.cs", "class A { object M() => new RetryOptions(); }", true)]
    [InlineData("src/Resilience.Core/Pipeline/Retry/A.cs", "class A { object M() => new RetryOptions(); }", true)]
    [InlineData("src/Resilience.Core/RetryStorms/A.cs", "class A { object M() => new RetryOptions(); }", true)]
    [InlineData("src/Resilience.AspNetCore/A.cs", "class A { RetryStopReason _reason; }", true)]
    [InlineData("src/Resilience.Core/Retry/A.cs", "class A { object M() => new RetryOptions(); }", false)]
    [InlineData("src/Resilience.Core/Pipeline/A.cs", "class A { string M() => \"RetryOptions\"; /* RetryPolicy */ }", false)]
    public void A_planted_mention_is_found(string file, string text, bool isFound) =>
        Mentions("src/Resilience.Core/Retry", [.. Shipped.Value.Where(s => IsIn(s.File, "src/Resilience.Core/Retry")), Source.Of(file, text)])
            .Should().HaveCount(isFound ? 1 : 0);

    [Theory]
    [InlineData("src/Resilience.Core/CircuitBreaker", "CircuitState")]
    [InlineData("src/Resilience.Core/CircuitBreaker", "TripCause")]
    [InlineData("src/Resilience.Core/CircuitBreaker", "CircuitRejection")]
    [InlineData("src/Resilience.Core/Budget", "RetryBudgetRules")]
    [InlineData("src/Resilience.Core/Limiting", "LimitReachedException")]
    public void A_planted_mention_of_a_lesser_type_is_found(string folder, string type) =>
        Mentions(folder, [.. Shipped.Value.Where(s => IsIn(s.File, folder)), Source.Of("src/Resilience.AspNetCore/A.cs", $"class A {{ {type}? _a; }}")])
            .Should().ContainSingle();

    [Fact]
    public void A_role_is_no_mention() =>
        Mentions("src/Resilience.Core/CircuitBreaker",
            [.. Shipped.Value.Where(s => IsIn(s.File, "src/Resilience.Core/CircuitBreaker")),
                Source.Of("src/Resilience.Core/Pipeline/A.cs", "class A { object M() => PolicyRole.CircuitBreaker; }")]).ShouldBeNone();
}

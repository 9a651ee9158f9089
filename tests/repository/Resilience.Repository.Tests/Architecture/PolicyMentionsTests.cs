using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Architecture;

/// <summary>A policy is known by name in its own folder. What names its options, its policy, its state or its events elsewhere stands in a short list that is reviewed
/// (decision 0048).</summary>
public sealed class PolicyMentionsTests
{
    private static readonly Dictionary<string, string[]> Types = new()
    {
        ["Retry"] = ["RetryOptions", "RetryPolicy", "RetryScheduled", "RetryStopped"],
        ["CircuitBreaker"] = ["CircuitBreakerOptions", "CircuitBreakerPolicy", "CircuitBreaker", "CircuitBreakerPartitions", "CircuitChanged",
            "CircuitRejected"],
        ["Timeout"] = ["TimeoutOptions", "TimeoutPolicy", "CallTimedOut"],
        ["Limiting"] = ["ConcurrencyLimitOptions", "ConcurrencyLimitPolicy", "ConcurrencyLimit", "LimitReached"],
        ["Hedging"] = ["HedgingOptions", "HedgingPolicy", "HedgeStarted", "HedgeSkipped", "HedgeWon"],
        ["Fallback"] = ["FallbackOptions", "FallbackPolicy", "FallbackUsed", "FallbackFailed"],
        ["Chaos"] = ["ChaosOptions", "ChaosPolicy", "ChaosSwitch", "ChaosInjected", "ChaosSwitched"],
        ["Throttling"] = ["AdaptiveThrottleOptions", "AdaptiveThrottlePolicy", "AdaptiveThrottle", "CallThrottled"],
        ["RateLimiting"] = ["RateLimiterOptions", "RateLimiterPolicy", "RateLimitReached"],
    };

    /// <summary>Where else, and why.</summary>
    private static readonly Dictionary<string, string[]> Reviewed = new()
    {
        ["Retry"] =
        [
            Http("StandardResilienceOptions"), Stores, // the fixed pipelines of an HttpClient and of a store are made of our policies
            "src/Resilience.Azure/AzureClientOptionsExtensions.cs", "src/Resilience.ClientModel/ClientPipelineOptionsExtensions.cs", // the RetryPolicy of an SDK
            Grpc("Verdicts/PushbackWaits"), Grpc("GrpcRetryBuilderExtensions"),
            Grpc("Options/GrpcResilienceOptions"),
            Grpc("DependencyInjection/GrpcClientSetup"), // it reads the retry policy of a service config
        ],
        ["CircuitBreaker"] =
        [
            "src/Resilience.AspNetCore/Dashboard/DashboardActions.cs", "src/Resilience.AspNetCore/Dashboard/DashboardReader.cs", // its card and its buttons
            "src/Resilience.Extensions/DependencyInjection/IdempotencyRegistration.cs", Http("HttpAuthority"), Http("HttpResilience"), Http("StandardResilienceOptions"),
            Simulated("Simulation"), Simulated("SimulationInterval"), Simulated("SimulationReport"), // the report lists the changes of circuits
            Grpc("Options/GrpcResilienceOptions"), Grpc("Options/GrpcPipelineOptions"), Grpc("GrpcTarget"), Grpc("Calls/ServerStream"), // a break of a stream after its first message is reported
        ],
        ["Timeout"] = [Http("StandardResilienceOptions"), Stores, Grpc("Options/GrpcResilienceOptions"), Grpc("Options/GrpcClientOptions")],
        ["Limiting"] = [Http("HttpAuthority"), Http("StandardResilienceOptions"), Grpc("Options/GrpcResilienceOptions"), Grpc("Options/GrpcPipelineOptions"), Grpc("GrpcTarget")],
        ["Hedging"] = [Grpc("Options/GrpcResilienceOptions"), Grpc("DependencyInjection/GrpcClientSetup")], // there the hedging policy of a service config
        ["Fallback"] =
        [
            "src/Resilience.AspNetCore/Idempotency/SignIn.cs",
        ], // the FallbackPolicy of ASP.NET Core's authorization, no policy of ours
        ["Chaos"] =
        [
            "src/Resilience.AspNetCore/Dashboard/DashboardActions.cs", "src/Resilience.AspNetCore/Dashboard/DashboardReader.cs", // the button that turns it off
            "src/Resilience.Extensions/DependencyInjection/HttpChaosBuilderExtensions.cs", "src/Resilience.Extensions/DependencyInjection/HttpChaosClient.cs",
            Http("HttpChaos"), Http("HttpChaosHandler"),
        ],
        ["RateLimiting"] = [],
        ["Throttling"] = [],
    };

    private const string Stores = "src/Resilience.Core/Idempotency/StoreAccess/StoreCalls.cs";

    private static string Simulated(string type) => $"src/Resilience.Testing/Simulation/{type}.cs";

    private static string Grpc(string type) => $"src/Resilience.Grpc/{type}.cs";

    private static string Http(string type) => $"src/Resilience.Extensions/Http/{type}.cs";

    /// <summary>The files outside of the folder of a policy that name it, of these sources.</summary>
    private static IEnumerable<string> Mentions(string policy, IEnumerable<(string File, string Text)> sources) =>
        from source in sources
        where !source.File.Contains($"/{policy}/", StringComparison.Ordinal)
        where CSharpSyntaxTree.ParseText(source.Text).GetCompilationUnitRoot().DescendantNodes().OfType<SimpleNameSyntax>()
            .Any(n => IsMention(n, Types[policy]))
        select source.File;

    /// <summary>A name of a type; not a role, which says what a policy is for, whose ever it is, and not a member that is called so.</summary>
    private static bool IsMention(SimpleNameSyntax name, string[] types) =>
        types.Contains(name.Identifier.Text)
            && name.Parent is not MemberAccessExpressionSyntax { Expression: IdentifierNameSyntax { Identifier.Text: "PolicyRole" } };

    private static (string File, string Text)[] Sources() =>
    [
        .. Repository.Files("src", "*.cs").Select(f => (Repository.Relative(f), File.ReadAllText(f))).Where(s => !s.Item1.Contains("Resilience.Analyzers",
            StringComparison.Ordinal) && !s.Item1.Contains("Resilience.CodeFixes", StringComparison.Ordinal)
            && !s.Item1.Contains("Resilience.Migration", StringComparison.Ordinal)),
    ];

    public static TheoryData<string> Policies => [.. Types.Keys];

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_policy_is_named_elsewhere_only_where_that_was_reviewed(string policy) =>
        Mentions(policy, Sources())
            .Should().BeEquivalentTo(Reviewed[policy], "what it says of itself goes through its options, its description and its status");

    [Theory]
    [InlineData("src/Resilience.Core/Pipeline/A.cs", "class A { object M() => new RetryOptions(); }", true)]
    [InlineData("src/Resilience.AspNetCore/A.cs", "class A { bool M(object o) => o is RetryPolicy; }", true)]
    [InlineData("src/Resilience.AspNetCore/A.cs", "class A { string M(object o) => o switch { RetryStopped e => \"\", _ => \"\" }; }", true)]
    [InlineData("src/Resilience.Core/Pipeline/A.cs", "using Resilience; class A : System.Collections.Generic.List<RetryOptions> { }", true)]
    [InlineData("src/Resilience.Core/Retry/A.cs", "class A { object M() => new RetryOptions(); }", false)]
    [InlineData("src/Resilience.Core/Pipeline/A.cs", "class A { string M() => \"RetryOptions\"; /* RetryPolicy */ }", false)]
    public void A_planted_mention_is_found(string file, string text, bool isFound) => Mentions("Retry", [(file, text)]).Any().Should().Be(isFound);

    [Fact]
    public void A_role_is_no_mention() =>
        Mentions("CircuitBreaker", [("src/Resilience.Core/Pipeline/A.cs", "class A { object M() => PolicyRole.CircuitBreaker; }")]).Should().BeEmpty();
}

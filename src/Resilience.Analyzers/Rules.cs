using System.Reflection;
using Microsoft.CodeAnalysis;

namespace Resilience.Analyzers;

/// <summary>What the analyzers can say. Each rule has a paragraph of its own in docs/analyzers.md.</summary>
internal static class Rules
{
    private const string Category = "Resilience";

    /// <summary>Where the pages are on the web, as the publisher has set it. Empty in a build that is not published: its links are paths in the
    /// repository.</summary>
    private static readonly string HelpRoot = HelpRootOf(typeof(Rules).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>());

    internal static readonly DiagnosticDescriptor PipelinePerCall = Rule(
        "RES101", "A pipeline is built for each call",
        "This pipeline is built anew for each call, so its breaker, budget and limit never see a second one; "
            + "build it once, in a static readonly field or in the container");

    internal static readonly DiagnosticDescriptor PipelinePerUser = Rule(
        "RES101", "A pipeline is built for each call",
        "This {0} is made anew with each {1} ({2}), so it sees the calls of one user alone; "
            + "make the field static, or let the container build the pipeline", WellKnownDiagnosticTags.CompilationEnd);

    internal static readonly DiagnosticDescriptor StatePerUser = Rule(
        "RES102", "A circuit breaker, budget or limit is made for each call",
        "This {0} is made anew with each {1} ({2}), so it never counts the calls of another; make the field static, or register it as a singleton",
        WellKnownDiagnosticTags.CompilationEnd);

    internal static readonly DiagnosticDescriptor StatePerCall = Rule(
        "RES102", "A circuit breaker, budget or limit is made for each call",
        "This {0} is made anew for each call, so it never counts a second one; make it once and share it between all calls to the dependency");

    internal static readonly DiagnosticDescriptor NotShared = Rule(
        "RES103", "A pipeline, circuit breaker, budget or limit is not registered as a singleton",
        "'{0}' gives each user a {1} of its own, so none of them sees enough calls to act; register it as "
            + "a singleton, or use AddResilience().AddPipeline(…)");

    internal static readonly DiagnosticDescriptor ClientTimeoutTooShort = Rule(
        "RES104", "HttpClient.Timeout is not longer than the pipeline",
        "HttpClient.Timeout ({0} s) ends the call before the pipeline's total timeout ({1} s) does, and as a "
            + "cancellation; remove it, or make it longer than the total");

    internal static readonly DiagnosticDescriptor RetriedWithoutKey = Rule(
        "RES105", "A request that is not idempotent is retried without a key",
        "{0} is repeated by the retry of '{1}', and a reply that was lost then means two operations; send an Idempotency-Key, or leave it out of the retry");

    internal static readonly DiagnosticDescriptor TokenIgnored = Rule(
        "RES106", "The token of the attempt is not passed on",
        "'{0}' does not get the token that the pipeline gives to each attempt, so a timeout cannot stop it; pass {1}");

    internal static readonly DiagnosticDescriptor Blocked = Rule(
        "RES107", "A thread is blocked until the pipeline is done",
        "'{0}' blocks a thread for as long as attempts and waits take, and on a ValueTask that is not complete it is undefined; "
            + "await the call, or use Execute");

    internal static readonly DiagnosticDescriptor NotAwaited = Rule(
        "RES108", "A call through a pipeline is not awaited",
        "This call is not awaited, so its failure is lost and the caller goes on before it is done; await it, or return it");

    internal static readonly DiagnosticDescriptor OutcomeIgnored = Rule(
        "RES109", "The outcome of TryExecuteAsync or TryExecute is thrown away",
        "{0} gives failures back as data and they are not looked at here; look at the outcome, or use the one without 'Try', which throws");

    internal static readonly DiagnosticDescriptor FailureSwallowed = Rule(
        "RES110", "The delegate hides its failures from the pipeline",
        "The delegate catches {0} and returns, so the pipeline sees a success: it never retries and the breaker "
            + "never opens; let the exception out, and use AddFallback for a substitute");

    internal static readonly DiagnosticDescriptor BelowRetriesOfSdk = Rule(
        "RES111", "A client with retries or keys of its own is below the retries of an SDK",
        "{0} retries above this client, so {1}; {2}, and see docs/with-sdks.md", WellKnownDiagnosticTags.CompilationEnd);

    internal static readonly DiagnosticDescriptor ErrorsUnread = Rule(
        "RES112", "The pipeline cannot read the errors of what it runs",
        "{0}, so what it retries and counts is not what failed; {1}");

    internal static readonly DiagnosticDescriptor RunsLater = Rule(
        "RES113", "The delegate gives back work that is still to be done",
        "The delegate gives {0}, so the pipeline sees a success before the work has begun; {1}");

    internal static readonly DiagnosticDescriptor RetriedInTransaction = Rule(
        "RES114", "A statement of an open transaction is retried",
        "'{0}' is repeated by '{1}' in a transaction that was begun outside of it, and one failed statement ends that; begin the transaction in the delegate");

    internal static readonly DiagnosticDescriptor HttpOverGrpc = Rule(
        "RES115", "A client for gRPC gets the pipeline for HTTP",
        "{0} does not see how calls of gRPC end, because their status comes behind the body; use AddGrpcResilience, of the package Resilience.Grpc");

    internal static readonly DiagnosticDescriptor TransactionTaken = Rule(
        "RES117", "An endpoint begins or ends the transaction that is begun for it",
        "'{0}' takes the transaction of {1} out of the hands of InTransactionOf, which begins and commits it with the record of the response; leave it out");

    internal static string HelpRootOf(IEnumerable<AssemblyMetadataAttribute> metadata) => metadata.FirstOrDefault(m => m.Key == "HelpRoot")?.Value ?? "";

    private static DiagnosticDescriptor Rule(string id, string title, string message, params string[] tags) =>
        new(id, title, message, Category, DiagnosticSeverity.Warning, isEnabledByDefault: true,
            helpLinkUri: HelpRoot + "docs/analyzers.md#" + id.ToLowerInvariant(), customTags: tags);
}

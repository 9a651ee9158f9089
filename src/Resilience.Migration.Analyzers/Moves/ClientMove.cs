using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Clients of HTTP.</summary>
internal sealed class ClientMove(MoveScope scope, OptionsMove options, OldMove old) : Move(scope)
{
    private static readonly string[] Unsafe = ["DisableForUnsafeHttpMethods", "DisableFor"];

    internal ExpressionSyntax? Client(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        SeparatedSyntaxList<ArgumentSyntax> said = node.ArgumentList.Arguments;
        switch (method.Name)
        {
            case "AddStandardResilienceHandler" when said.Count == 0:
                return Standard(node, null);
            case "AddStandardResilienceHandler" when said[0].Expression is LambdaExpressionSyntax configure && ParameterOf(configure) is not null:
                return Standard(node, configure);
            case "AddStandardResilienceHandler":
                return Leave(MigrationRules.Clients,
                    "the keys of this section have other names here: move them, then call AddStandardResilience with its path");
            case "SelectPipelineByAuthority" when node.Expression is MemberAccessExpressionSyntax access:
                return Visited(access.Expression); // always
            case "RemoveAllResilienceHandlers":
                return Written($"{Receiver(node)}.RemoveResilience()", node);
            case "AddResilienceHandler" when said.Count == 2 && said[1].Expression is LambdaExpressionSyntax configure && ParameterOf(configure) is not null:
                return Written($"{Receiver(node)}.AddResilience({Visit(configure).ToFullString().Trim()})", node);
            case "AddTransientHttpErrorPolicy" when said[0].Expression is LambdaExpressionSyntax { ExpressionBody: InvocationExpressionSyntax made }:
                return Policy(node, made);
            case "AddPolicyHandler" when said[0].Expression is InvocationExpressionSyntax made
                && SymbolOf(made) is IMethodSymbol policy && Theirs.Own(policy):
                return Policy(node, made);
            case "AddPolicyHandler" or "AddTransientHttpErrorPolicy" or "AddPolicyHandlerFromRegistry":
                return Leave(MigrationRules.Clients, "build the pipeline in AddResilience, all policies of the client in one, outermost first");
            default:
                return Leave(MigrationRules.Clients, OptionNames.WhyNot(method));
        }
    }

    /// <summary>One policy of the old API. Several on one client have to become one pipeline.</summary>
    private ExpressionSyntax? Policy(InvocationExpressionSyntax node, InvocationExpressionSyntax made)
    {
        bool isOneOfSeveral = node.AncestorsAndSelf().OfType<InvocationExpressionSyntax>().Last().DescendantNodesAndSelf().OfType<InvocationExpressionSyntax>()
            .Count(i => SymbolOf(i) is IMethodSymbol { ContainingAssembly.Name: "Microsoft.Extensions.Http.Polly" }) > 1;
        if (isOneOfSeveral) return Leave(MigrationRules.Clients, "build the pipeline in AddResilience, all policies of the client in one, outermost first");
        if (SymbolOf(made) is not IMethodSymbol policy || old.Strategy(made, policy) is not { } strategy) return null;
        return Written($"{Receiver(node)}.AddResilience(builder => builder{strategy})", node);
    }

    private ExpressionSyntax? Standard(InvocationExpressionSyntax node, LambdaExpressionSyntax? configure)
    {
        Dictionary<string, Dictionary<string, string>> parts = new(StringComparer.Ordinal)
        {
            ["Retry"] = [],
            ["CircuitBreaker"] = [],
            ["RateLimiter"] = [],
            ["TotalRequestTimeout"] = [],
            ["AttemptTimeout"] = [],
        };
        if (configure is not null)
        {
            IEnumerable<ExpressionSyntax?> statements = configure.ExpressionBody is { } one ? [one]
                : configure.Block!.Statements.Select(static s => (s as ExpressionStatementSyntax)?.Expression);
            foreach (ExpressionSyntax? statement in statements)
            {
                if (statement is null || !IsKnown(statement, ParameterOf(configure)!, parts))
                    return Leave(MigrationRules.Clients, "these options are set in a way that is not known: write them in AddStandardResilience");
            }
        }

        OptionsMove.AddDefaults("RetryOptions", parts["Retry"], isHttp: true);
        OptionsMove.AddDefaults("CircuitBreakerOptions", parts["CircuitBreaker"], isHttp: true);
        string limit = parts["RateLimiter"].TryGetValue("MaxConcurrent", out string? most) ? most : "1000";
        string queue = parts["RateLimiter"].TryGetValue("MaxQueued", out string? queued) ? ", MaxQueued = " + queued : "";
        string total = parts["TotalRequestTimeout"].TryGetValue("Timeout", out string? all) ? all : "$TimeSpan.FromSeconds(30)";
        string attempt = parts["AttemptTimeout"].TryGetValue("Timeout", out string? each) ? each : "$TimeSpan.FromSeconds(10)";
        return Written(
            $$"""
            {{Receiver(node)}}.AddStandardResilience(options =>
            {
                // What the handler before did, but for methods that are not idempotent: they are sent once now, unless they carry a key.
                options.ConcurrencyLimit = new §ConcurrencyLimitOptions { MaxConcurrent = {{limit}}{{queue}} };
                options.TotalTimeout = {{total}};
                options.Retry = new §RetryOptions { {{Join(parts["Retry"])}} };
                options.CircuitBreaker = new §CircuitBreakerOptions { {{Join(parts["CircuitBreaker"])}} };
                options.AttemptTimeout = {{attempt}};
                options.ThrottlingCounts = true;
            })
            """, node);

        static string Join(Dictionary<string, string> members) => string.Join(", ", members.Select(static m => m.Key + " = " + m.Value));
    }

    /// <summary>An assignment to a member that we know, or the word for methods that we never repeat anyway.</summary>
    private bool IsKnown(ExpressionSyntax statement, string parameter, Dictionary<string, Dictionary<string, string>> parts)
    {
        if (statement is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax call })
            return Unsafe.Contains(call.Name.Identifier.ValueText) && call.Expression.ToString() == parameter + ".Retry";
        if (statement is not AssignmentExpressionSyntax { Left: MemberAccessExpressionSyntax left } set) return false;
        string[] path = left.ToString().Split('.');
        if (path[0] != parameter || path.Length < 3 || !parts.TryGetValue(path[1], out Dictionary<string, string>? part)) return false;
        string member = path[path.Length - 1];
        return path[1] switch
        {
            "Retry" => path.Length == 3 && options.Retry(member, set.Right, part) is not null,
            "CircuitBreaker" => path.Length == 3 && options.Breaker(member, set.Right, part) is not null,
            "RateLimiter" => member is "PermitLimit" or "QueueLimit"
                && (part[member == "PermitLimit" ? "MaxConcurrent" : "MaxQueued"] = Text(set.Right)) is not null,
            _ => path.Length == 3 && member == "Timeout" && (part[member] = Text(set.Right)) is not null,
        };
    }
}

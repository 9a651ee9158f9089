using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Clients of HTTP.</summary>
internal sealed class ClientMove(MoveScope scope, OptionsMove options, OldMove old) : Move(scope)
{
    private const string OneOfSeveral = "build the pipeline in AddResilience, all policies of the client in one, outermost first";

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
            case "AddPolicyHandler" or "AddTransientHttpErrorPolicy" when PolicyOf(node) is not null:
                return TopOf(node) == node ? Policies(node) : Visited(((MemberAccessExpressionSyntax)node.Expression).Expression); // the last of them has all
            case "AddPolicyHandler" or "AddTransientHttpErrorPolicy" or "AddPolicyHandlerFromRegistry":
                return Leave(MigrationRules.Clients, OneOfSeveral);
            default:
                return Leave(MigrationRules.Clients, OptionNames.WhyNot(method));
        }
    }

    /// <summary>Reads, before anything is written, which policies stand around each client.</summary>
    internal void Collect(SyntaxNode root, Units units)
    {
        foreach (InvocationExpressionSyntax call in root.DescendantNodes().OfType<InvocationExpressionSyntax>())
        {
            if (PolicyOf(call) is not { } policy || Units.Around(call) is not { } around || units.At(around) is not { } unit) continue;
            if (!old.AddInside(Scope.FactsOf(TopOf(call)), policy)) unit.Stay(MigrationRules.Clients, OneOfSeveral);
        }
    }

    /// <summary>The policy that a client is given; null where this is no such call, or it chooses by request.</summary>
    private ExpressionSyntax? PolicyOf(InvocationExpressionSyntax node)
    {
        if (SymbolOf(node) is not IMethodSymbol { ContainingAssembly.Name: "Microsoft.Extensions.Http.Polly", Parameters.Length: 1 } method) return null;
        return node.ArgumentList.Arguments[0].Expression switch
        {
            LambdaExpressionSyntax { ExpressionBody: { } made } when method.Name == "AddTransientHttpErrorPolicy" => made,
            LambdaExpressionSyntax => null,
            var policy when method.Name == "AddPolicyHandler" => policy,
            _ => null,
        };
    }

    /// <summary>The last of the calls that give policies to a client one after the other: the innermost policy.</summary>
    private InvocationExpressionSyntax TopOf(InvocationExpressionSyntax node) =>
        node.Parent is MemberAccessExpressionSyntax { Parent: InvocationExpressionSyntax next } && PolicyOf(next) is not null ? TopOf(next) : node;

    /// <summary>All policies of a client in one pipeline, outermost first.</summary>
    private ExpressionSyntax? Policies(InvocationExpressionSyntax top)
    {
        List<ExpressionSyntax> policies = [];
        InvocationExpressionSyntax first = top;
        for (ExpressionSyntax at = top; at is InvocationExpressionSyntax call && PolicyOf(call) is { } policy;)
        {
            policies.Insert(0, policy);
            first = call;
            at = ((MemberAccessExpressionSyntax)call.Expression).Expression;
        }

        if (OthersOf(top) != policies.Count) return Leave(MigrationRules.Clients, OneOfSeveral);
        string parts = "";
        foreach (ExpressionSyntax policy in policies)
        {
            if (old.Part(policy) is not { } part) return null;
            parts += part;
        }

        string builder = Unused("builder", "pipeline", top);
        return Written($"{Receiver(first)}.AddResilience({builder} => {builder}{old.RulesOf(top)}{parts})", top);
    }

    /// <summary>How many policies the client is given in all, in this statement and by others through the same variable.</summary>
    private int OthersOf(InvocationExpressionSyntax top)
    {
        ISymbol? variable = RootOf(top) is IdentifierNameSyntax root && TypeOf(root)?.Name.EndsWith("HttpClientBuilder", StringComparison.Ordinal) == true
            ? SymbolOf(root) : null;
        SyntaxNode around = variable is null ? top.AncestorsAndSelf().OfType<InvocationExpressionSyntax>().Last()
            : top.FirstAncestorOrSelf<MemberDeclarationSyntax>() ?? (SyntaxNode)top;
        return around.DescendantNodesAndSelf().OfType<InvocationExpressionSyntax>().Count(i =>
            SymbolOf(i) is IMethodSymbol { ContainingAssembly.Name: "Microsoft.Extensions.Http.Polly" }
            && (variable is null || (RootOf(i) is IdentifierNameSyntax other && SymbolEqualityComparer.Default.Equals(SymbolOf(other), variable))));
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

using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>Looks into the delegates that pipelines run: a token that is not passed on, failures that do not get out, work that begins when the
/// pipeline is done. RES106, RES110 and RES113.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class DelegateAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.TokenIgnored, Rules.FailureSwallowed, Rules.RunsLater];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (Known.From(start.Compilation) is not { } known) return;
            ResultRules rules = new(start.Compilation, start.CancellationToken);
            start.RegisterOperationAction(c => Check(c, known, rules), OperationKind.Invocation);
        });
    }

    private static void Check(OperationAnalysisContext context, Known known, ResultRules rules)
    {
        IInvocationOperation execution = (IInvocationOperation)context.Operation;
        if (!known.IsExecution(execution)) return;
        CheckResult(context, known, execution);
        if (DelegateCode.Of(execution, known, context.CancellationToken) is not { } code) return;
        CheckToken(context, known, execution, code);
        if (known.ResultOf(execution) is { } result && (rules.Exist(result) || Making.Of(execution, context.CancellationToken)?.Judges(result) == true)) return;
        foreach (CatchClauseSyntax swallowing in SwallowingCatches(code, context.CancellationToken))
        {
            Location place = code.IsLambda ? swallowing.CatchKeyword.GetLocation() : code.Argument.GetLocation();
            context.ReportDiagnostic(Diagnostic.Create(Rules.FailureSwallowed, place, CaughtBy(swallowing)));
        }
    }

    /// <summary>What a delegate gives that does its work only when it is asked: the pipeline has seen a success by then.</summary>
    private static void CheckResult(OperationAnalysisContext context, Known known, IInvocationOperation execution)
    {
        ITypeSymbol? result = known.ResultOf(execution);
        string? cure = result is null ? null : Deferred(result) switch
        {
            "Task" or "ValueTask" when !known.IsAsynchronousExecution(execution) => "use " + execution.TargetMethod.Name + "Async",
            "Task" or "ValueTask" => "await it in the delegate",
            "IAsyncEnumerable" or "IQueryable" => "read it to its end in the delegate, or run the pipeline for each part that is read",
            _ => null,
        };
        bool isAsyncVoid = execution.Arguments.Select(Code.LambdaOf).Any(static l => l?.Symbol is { IsAsync: true, ReturnsVoid: true });
        if (isAsyncVoid) cure = "use " + execution.TargetMethod.Name + "Async";
        if (cure is not null)
        {
            string what = isAsyncVoid ? "async void" : Deferred(result!)!;
            context.ReportDiagnostic(Diagnostic.Create(Rules.RunsLater, Code.NameOf(execution), what, cure));
        }
    }

    private static string? Deferred(ITypeSymbol result) => result.OriginalDefinition.ToDisplayString() switch
    {
        "System.Collections.Generic.IAsyncEnumerable<T>" => "IAsyncEnumerable",
        "System.Linq.IQueryable<T>" or "System.Linq.IQueryable" => "IQueryable",
        var name when name.StartsWith("System.Threading.Tasks.ValueTask", StringComparison.Ordinal) => "ValueTask",
        var name when name.StartsWith("System.Threading.Tasks.Task", StringComparison.Ordinal) => "Task",
        _ => null,
    };

    private static void CheckToken(OperationAnalysisContext context, Known known, IInvocationOperation execution, DelegateCode code)
    {
        IParameterSymbol? given = code.Symbol.Parameters.FirstOrDefault(p => known.IsToken(p.Type) || Known.Is(p.Type, known.Context));
        if (given is null) return;
        bool isUsed = code.Body.Descendants().OfType<IParameterReferenceOperation>().Any(r => SymbolEqualityComparer.Default.Equals(r.Parameter, given));
        ISymbol? callers = execution.Arguments.Where(a => known.IsToken(a.Parameter?.Type)).Select(a => Named(Code.Bare(a.Value))).FirstOrDefault();
        string pass = given.Name == "_" ? "the parameter of the delegate" : known.IsToken(given.Type) ? $"'{given.Name}'" : $"'{given.Name}.CancellationToken'";
        foreach (IInvocationOperation call in code.Operations.OfType<IInvocationOperation>())
        {
            if (!IsAsynchronous(call.TargetMethod) || PlaceOfMistake(call, known, code, callers, isUsed) is not { } place) continue;
            context.ReportDiagnostic(Diagnostic.Create(Rules.TokenIgnored, code.IsLambda ? place : code.Argument.GetLocation(), call.TargetMethod.Name, pass));
            if (!code.IsLambda) return; // one place for them all
        }
    }

    /// <summary>Where a call gets no token, or another one than that of the attempt; null when nothing is wrong for all we can tell.</summary>
    private static Location? PlaceOfMistake(IInvocationOperation call, Known known, DelegateCode code, ISymbol? callers, bool isUsed)
    {
        IArgumentOperation? argument = call.Arguments.LastOrDefault(a => known.IsToken(a.Parameter?.Type));
        if (argument is { ArgumentKind: ArgumentKind.Explicit })
        {
            IOperation value = Code.Bare(argument.Value);
            ISymbol? token = Named(value);
            bool isCallers = token is not null && SymbolEqualityComparer.Default.Equals(token, callers);
            bool isForeign = token is not null ? IsFromOutside(token, code) : IsNone(value, known);
            return isCallers || (isForeign && !isUsed) ? argument.Syntax.GetLocation() : null;
        }

        // A delegate that uses its token somewhere has thought of it; what it leaves out, it may leave out on purpose.
        bool couldTakeOne = argument is not null || HasOverloadWithToken(call.TargetMethod, known);
        return couldTakeOne && !isUsed ? Code.NameOf(call) : null;
    }

    /// <summary>The variable that a value is read from.</summary>
    private static ISymbol? Named(IOperation value) => value switch
    {
        IParameterReferenceOperation parameter => parameter.Parameter,
        ILocalReferenceOperation local => local.Local,
        IFieldReferenceOperation field => field.Field,
        _ => null,
    };

    /// <summary>Made outside of the delegate, so it knows nothing of the attempt. What a delegate makes may be linked to its own token.</summary>
    private static bool IsFromOutside(ISymbol token, DelegateCode code) => token is IFieldSymbol
        || !token.DeclaringSyntaxReferences.Any(d => d.SyntaxTree == code.Syntax.SyntaxTree && code.Syntax.Span.Contains(d.Span));

    private static bool IsNone(IOperation value, Known known) => value switch
    {
        IPropertyReferenceOperation { Property: { IsStatic: true, Name: "None" } none } => known.IsToken(none.ContainingType),
        IDefaultValueOperation => true,
        _ => false,
    };

    private static bool IsAsynchronous(IMethodSymbol method) =>
        method.ReturnType is INamedTypeSymbol { Name: "Task" or "ValueTask" or "IAsyncEnumerable" } type
        && type.ContainingNamespace?.ToDisplayString() is "System.Threading.Tasks" or "System.Collections.Generic";

    /// <summary>Is there the same method with a token as one more parameter at the end?</summary>
    private static bool HasOverloadWithToken(IMethodSymbol method, Known known)
    {
        IMethodSymbol called = (method.ReducedFrom ?? method).OriginalDefinition;
        if (called.MethodKind is not MethodKind.Ordinary || called.ContainingType is null) return false;
        return called.ContainingType.GetMembers(called.Name).OfType<IMethodSymbol>().Any(other =>
            other.IsStatic == called.IsStatic
            && other.DeclaredAccessibility >= called.DeclaredAccessibility
            && other.TypeParameters.Length == called.TypeParameters.Length
            && other.Parameters.Length == called.Parameters.Length + 1
            && known.IsToken(other.Parameters[called.Parameters.Length].Type)
            && called.Parameters.All(p => IsSame(p.Type, other.Parameters[p.Ordinal].Type)));
    }

    /// <summary>Type parameters of two methods are the same when they stand at the same place.</summary>
    private static bool IsSame(ITypeSymbol one, ITypeSymbol other) => SymbolEqualityComparer.Default.Equals(one, other)
        || (one is ITypeParameterSymbol a && other is ITypeParameterSymbol b && a.Ordinal == b.Ordinal)
        || (one is INamedTypeSymbol { IsGenericType: true } c && other is INamedTypeSymbol { IsGenericType: true } d
            && SymbolEqualityComparer.Default.Equals(c.OriginalDefinition, d.OriginalDefinition)
            && c.TypeArguments.Zip(d.TypeArguments, IsSame).All(same => same));

    /// <summary>A delegate that is one try, or ends in one (and returns what it made), whose catch takes failures and lets none out.</summary>
    private static IEnumerable<CatchClauseSyntax> SwallowingCatches(DelegateCode code, CancellationToken cancellation)
    {
        if (code.Statements is not { Count: > 0 } statements) return [];
        TryStatementSyntax? last = statements.Last() as TryStatementSyntax;
        if (statements.Last() is ReturnStatementSyntax given && !given.DescendantNodes().Any(n => n is InvocationExpressionSyntax))
            last = statements.ElementAtOrDefault(statements.Count - 2) as TryStatementSyntax;
        return last?.Catches.Where(c => c.Filter is null && TakesFailures(c, code, cancellation) && !LetsOut(c)) ?? [];
    }

    private static bool TakesFailures(CatchClauseSyntax clause, DelegateCode code, CancellationToken cancellation) => clause.Declaration is null
        || (code.Body.SemanticModel?.GetTypeInfo(clause.Declaration.Type, cancellation).Type is { TypeKind: TypeKind.Class } caught
            && DefaultFailures.Is(caught));

    private static bool LetsOut(CatchClauseSyntax clause) => PassesErrorOn(clause) || clause.Block.DescendantNodes(static n => !Code.IsFunction(n))
        .Any(static n => n is ThrowStatementSyntax or ThrowExpressionSyntax or GotoStatementSyntax or ContinueStatementSyntax);

    private static string CaughtBy(CatchClauseSyntax clause) => clause.Declaration?.Type.ToString() is { } type and not "Exception" ? type : "every exception";

    /// <summary>The exception is handed to something that may well throw it again, or is what the delegate returns.</summary>
    private static bool PassesErrorOn(CatchClauseSyntax clause)
    {
        string? error = clause.Declaration?.Identifier.ValueText;
        return !string.IsNullOrEmpty(error) && clause.Block.DescendantNodes().OfType<ReturnStatementSyntax>()
            .Any(r => r.DescendantNodes().OfType<IdentifierNameSyntax>().Any(n => n.Identifier.ValueText == error))
            || clause.Block.DescendantNodes().OfType<MemberAccessExpressionSyntax>()
                .Any(m => m.Name.Identifier.ValueText is "Throw" or "FromException" or "SetException");
    }
}

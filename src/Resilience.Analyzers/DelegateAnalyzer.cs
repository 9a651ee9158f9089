using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>Looks into the delegates that pipelines run: a token that is not passed on, failures that do not get out. RES106 and RES110.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class DelegateAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.TokenIgnored, Rules.FailureSwallowed];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (Known.From(start.Compilation) is { } known)
                start.RegisterOperationAction(c => Check(c, known), OperationKind.Invocation);
        });
    }

    private static void Check(OperationAnalysisContext context, Known known)
    {
        IInvocationOperation execution = (IInvocationOperation)context.Operation;
        if (!known.IsExecution(execution) || execution.Arguments.Select(Code.LambdaOf).FirstOrDefault(l => l is not null) is not { } lambda) return;
        CheckToken(context, known, execution, lambda);
        if (SwallowingCatch(lambda, context, known) is { } swallowing)
            context.ReportDiagnostic(Diagnostic.Create(Rules.FailureSwallowed, swallowing.CatchKeyword.GetLocation()));
    }

    private static void CheckToken(OperationAnalysisContext context, Known known, IInvocationOperation execution, IAnonymousFunctionOperation lambda)
    {
        IParameterSymbol? given = lambda.Symbol.Parameters.FirstOrDefault(p => known.IsToken(p.Type) || Known.Is(p.Type, known.Context));
        if (given is null) return;
        bool isUsed = lambda.Body.Descendants().OfType<IParameterReferenceOperation>().Any(r => SymbolEqualityComparer.Default.Equals(r.Parameter, given));
        ISymbol? callers = execution.Arguments.Where(a => known.IsToken(a.Parameter?.Type)).Select(a => Named(Code.Bare(a.Value))).FirstOrDefault();
        string pass = given.Name == "_" ? "the parameter of the delegate" : known.IsToken(given.Type) ? $"'{given.Name}'" : $"'{given.Name}.CancellationToken'";
        foreach (IInvocationOperation call in Code.OwnOperations(lambda).OfType<IInvocationOperation>())
        {
            if (IsAsynchronous(call.TargetMethod) && PlaceOfMistake(call, known, lambda, callers, isUsed) is { } place)
                context.ReportDiagnostic(Diagnostic.Create(Rules.TokenIgnored, place, call.TargetMethod.Name, pass));
        }
    }

    /// <summary>Where a call gets no token, or another one than that of the attempt; null when nothing is wrong for all we can tell.</summary>
    private static Location? PlaceOfMistake(IInvocationOperation call, Known known, IAnonymousFunctionOperation lambda, ISymbol? callers, bool isUsed)
    {
        IArgumentOperation? argument = call.Arguments.LastOrDefault(a => known.IsToken(a.Parameter?.Type));
        if (argument is { ArgumentKind: ArgumentKind.Explicit })
        {
            IOperation value = Code.Bare(argument.Value);
            ISymbol? token = Named(value);
            bool isCallers = token is not null && SymbolEqualityComparer.Default.Equals(token, callers);
            bool isForeign = token is not null ? IsFromOutside(token, lambda) : IsNone(value, known);
            return isCallers || (isForeign && !isUsed) ? argument.Syntax.GetLocation() : null;
        }

        // A delegate that uses its token somewhere has thought of it; what it leaves out, it may leave out on purpose.
        bool couldTakeOne = argument is not null || HasOverloadWithToken(call.TargetMethod, known);
        return couldTakeOne && !isUsed ? NameOf(call) : null;
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
    private static bool IsFromOutside(ISymbol token, IAnonymousFunctionOperation lambda) => token is IFieldSymbol
        || !token.DeclaringSyntaxReferences.Any(d => d.SyntaxTree == lambda.Syntax.SyntaxTree && lambda.Syntax.Span.Contains(d.Span));

    private static bool IsNone(IOperation value, Known known) => value switch
    {
        IPropertyReferenceOperation { Property: { IsStatic: true, Name: "None" } none } => known.IsToken(none.ContainingType),
        IDefaultValueOperation => true,
        _ => false,
    };

    private static Location NameOf(IInvocationOperation call) => (call.Syntax as InvocationExpressionSyntax)?.Expression switch
    {
        MemberAccessExpressionSyntax access => access.Name.GetLocation(),
        { } name => name.GetLocation(),
        null => call.Syntax.GetLocation(),
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

    /// <summary>A delegate that is one try, or ends in one (and returns what it made), whose catch takes everything and lets nothing out.</summary>
    private static CatchClauseSyntax? SwallowingCatch(IAnonymousFunctionOperation lambda, OperationAnalysisContext context, Known known)
    {
        if (lambda.Syntax is not AnonymousFunctionExpressionSyntax { Block.Statements: { Count: > 0 } statements }) return null;
        TryStatementSyntax? last = statements.Last() as TryStatementSyntax;
        if (statements.Last() is ReturnStatementSyntax given && !given.DescendantNodes().Any(n => n is InvocationExpressionSyntax))
            last = statements.ElementAtOrDefault(statements.Count - 2) as TryStatementSyntax;
        CatchClauseSyntax? general = last?.Catches.LastOrDefault(c => c.Filter is null && (c.Declaration is null
            || Known.Is(lambda.SemanticModel?.GetTypeInfo(c.Declaration.Type, context.CancellationToken).Type, known.Exception)));
        bool leaves = general is null || general.Block.DescendantNodes(n => !Code.IsFunction(n))
            .Any(n => n is ThrowStatementSyntax or ThrowExpressionSyntax or GotoStatementSyntax or ContinueStatementSyntax);
        return leaves || PassesErrorOn(general!) ? null : general;
    }

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

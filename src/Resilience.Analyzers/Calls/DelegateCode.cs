using System.Diagnostics.CodeAnalysis;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>What a pipeline runs: a lambda, or a method of this compilation that is named in its place.</summary>
internal sealed class DelegateCode
{
    private DelegateCode(IMethodSymbol symbol, IOperation body, SyntaxNode argument, bool isLambda)
    {
        (Symbol, Body, Argument, IsLambda) = (symbol, body, argument, isLambda);
    }

    internal IMethodSymbol Symbol { get; }

    internal IOperation Body { get; }

    /// <summary>What stands where the delegate is handed over.</summary>
    internal SyntaxNode Argument { get; }

    internal bool IsLambda { get; }

    internal SyntaxNode Syntax => Body.Syntax is BlockSyntax or ArrowExpressionClauseSyntax ? Body.Syntax.Parent! : Body.Syntax;

    /// <summary>What stands in the delegate itself, not in the functions inside it.</summary>
    internal IEnumerable<IOperation> Operations => Body.Descendants().Where(o =>
    {
        IOperation? outer = o.Parent;
        while (outer is not null && outer != Body && outer is not IAnonymousFunctionOperation and not ILocalFunctionOperation) outer = outer.Parent;
        return outer == Body;
    });

    /// <summary>The statements of its body; null when it is one expression.</summary>
    internal SyntaxList<StatementSyntax>? Statements => Syntax switch
    {
        AnonymousFunctionExpressionSyntax { Block: { } block } => block.Statements,
        MethodDeclarationSyntax { Body: { } block } => block.Statements,
        LocalFunctionStatementSyntax { Body: { } block } => block.Statements,
        _ => null,
    };

    internal static DelegateCode? Of(IInvocationOperation execution, Known known, CancellationToken cancellation)
    {
        foreach (IArgumentOperation argument in execution.Arguments)
        {
            if (Code.Bare(argument.Value) is not IDelegateCreationOperation { Target: { } target }) continue;
            if (target is IAnonymousFunctionOperation lambda) return new(lambda.Symbol, lambda, argument.Syntax, isLambda: true);
            if (target is IMethodReferenceOperation { Method: var method } && BodyOf(method, known.Compilation, cancellation) is { } body)
                return new(method, body, argument.Syntax, isLambda: false);
        }

        return null;
    }

    [SuppressMessage("MicrosoftCodeAnalysisPerformance", "RS1030", Justification = "One method, and only where a method group is handed to a pipeline.")]
    private static IOperation? BodyOf(IMethodSymbol method, Compilation compilation, CancellationToken cancellation)
    {
        if (method.DeclaringSyntaxReferences.Length != 1 || method.IsVirtual || method.IsOverride) return null;
        SyntaxNode declaration = method.DeclaringSyntaxReferences[0].GetSyntax(cancellation);
        return declaration is MethodDeclarationSyntax or LocalFunctionStatementSyntax
            ? compilation.GetSemanticModel(declaration.SyntaxTree).GetOperation(declaration, cancellation)
            : null;
    }
}

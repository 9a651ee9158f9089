using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Resilience.Analyzers;

namespace Resilience.CodeFixes;

/// <summary>A document that is being repaired, and the names that repairs have given in it.</summary>
internal sealed class FixScope
{
    private readonly HashSet<string> _given = new(StringComparer.Ordinal);

    private FixScope(SyntaxNode root, SemanticModel model, CancellationToken cancellation)
    {
        (Root, Model, Cancellation) = (root, model, cancellation);
    }

    internal SyntaxNode Root { get; }

    internal SemanticModel Model { get; }

    internal CancellationToken Cancellation { get; }

    internal static async Task<FixScope?> OfAsync(Document document, CancellationToken cancellation)
    {
        SyntaxNode? root = await document.GetSyntaxRootAsync(cancellation).ConfigureAwait(false);
        SemanticModel? model = await document.GetSemanticModelAsync(cancellation).ConfigureAwait(false);
        return root is null || model is null ? null : new(root, model, cancellation);
    }

    internal SyntaxNode NodeAt(Diagnostic diagnostic) => Root.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true);

    internal ISymbol? SymbolOf(SyntaxNode node) => Model.GetSymbolInfo(node, Cancellation).Symbol;

    /// <summary>A name that nothing has where the node stands, nor any repair has given; free again when the document is read anew.</summary>
    internal string FreeName(string wished, SyntaxNode at)
    {
        string name = wished;
        for (int i = 2; !_given.Add(name) || Model.LookupSymbols(at.SpanStart, name: name).Length > 0; i++)
            name = wished + i.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return name;
    }

    /// <summary>Whether an expression means the same in a static initializer of its type: it names no local, parameter or
    /// instance member of the method.</summary>
    internal bool StandsAlone(SyntaxNode expression) => !expression.DescendantNodesAndSelf().Any(n => n switch
    {
        ThisExpressionSyntax or BaseExpressionSyntax or AwaitExpressionSyntax => true,
        SimpleNameSyntax name when name.Parent is MemberAccessExpressionSyntax access && access.Name == name => false,
        SimpleNameSyntax name when name.Parent is NameColonSyntax || IsInitialized(name) => false,
        SimpleNameSyntax name => SymbolOf(name) switch
        {
            ILocalSymbol or IParameterSymbol or IRangeVariableSymbol => !IsDeclaredIn(SymbolOf(name)!, expression),
            IMethodSymbol { MethodKind: MethodKind.LocalFunction } local => !IsDeclaredIn(local, expression),
            IFieldSymbol or IPropertySymbol or IEventSymbol or IMethodSymbol => !SymbolOf(name)!.IsStatic,
            ITypeParameterSymbol { DeclaringMethod: not null } => true,
            _ => false,
        },
        _ => false,
    });

    /// <summary>A member that an object initializer sets.</summary>
    private static bool IsInitialized(SimpleNameSyntax name) =>
        name.Parent is AssignmentExpressionSyntax { Parent: InitializerExpressionSyntax } set && set.Left == name;

    private static bool IsDeclaredIn(ISymbol symbol, SyntaxNode expression) =>
        symbol.DeclaringSyntaxReferences.Any(r => r.SyntaxTree == expression.SyntaxTree && expression.Span.Contains(r.Span));

    /// <summary>Whether <c>await</c> may stand there: the function is asynchronous, and no lock or query is between.</summary>
    internal static bool MayAwait(SyntaxNode at)
    {
        bool isAsync = Code.FunctionOf(at) switch
        {
            MethodDeclarationSyntax method => method.Modifiers.Any(SyntaxKind.AsyncKeyword),
            LocalFunctionStatementSyntax local => local.Modifiers.Any(SyntaxKind.AsyncKeyword),
            AnonymousFunctionExpressionSyntax lambda => lambda.AsyncKeyword.RawKind != 0,
            CompilationUnitSyntax => true, // top-level statements
            _ => false,
        };
        return isAsync && !at.Ancestors().TakeWhile(static a => !Code.IsFunction(a))
            .Any(static a => a is LockStatementSyntax or QueryExpressionSyntax or CatchFilterClauseSyntax or UnsafeStatementSyntax);
    }
}

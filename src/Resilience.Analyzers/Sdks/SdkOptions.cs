using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>The options of an SDK as one function makes them: what is written to them, and whether that is all.</summary>
internal sealed class SdkOptions
{
    private readonly Dictionary<string, IOperation> _written = [];

    private SdkOptions()
    {
    }

    /// <summary>Null when something else may write to them too: then nothing is known of them.</summary>
    internal static SdkOptions? Of(IObjectCreationOperation created, CancellationToken cancellation)
    {
        SdkOptions options = new();
        if (created.Initializer is { } initializer) options.Write("", initializer);
        if (IsGivenToConstructor(Code.Outermost(created.Syntax))) return options;
        if (Code.Outermost(created.Syntax).Parent is not EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax declarator }
            || created.SemanticModel?.GetDeclaredSymbol(declarator, cancellation) is not ILocalSymbol local
            || Code.FunctionOf(declarator) is not { } function) return null;
        foreach (IdentifierNameSyntax use in Code.UsesOf(local, function, created.SemanticModel, cancellation))
        {
            if (!IsGivenToConstructor(use) && !options.Read(use, function, created.SemanticModel, cancellation)) return null;
        }

        return options;
    }

    internal IOperation? this[string path] => _written.TryGetValue(path, out IOperation? value) ? value : null;

    /// <summary>That of a client, which only reads them.</summary>
    private static bool IsGivenToConstructor(SyntaxNode value) =>
        value.Parent is ArgumentSyntax { RefKindKeyword.RawKind: 0, Parent.Parent: BaseObjectCreationExpressionSyntax };

    private void Write(string prefix, IObjectOrCollectionInitializerOperation initializer)
    {
        foreach (IOperation part in initializer.Initializers)
        {
            switch (part)
            {
                case ISimpleAssignmentOperation { Target: IMemberReferenceOperation member } assignment:
                    _written[prefix + member.Member.Name] = assignment.Value;
                    break;
                case IMemberInitializerOperation { InitializedMember: IMemberReferenceOperation member } nested:
                    Write(prefix + member.Member.Name + ".", nested.Initializer);
                    break;
            }
        }
    }

    /// <summary>One place where they are named. False when it may do something that we cannot follow.</summary>
    private bool Read(IdentifierNameSyntax use, SyntaxNode function, SemanticModel model, CancellationToken cancellation)
    {
        string path = "";
        SyntaxNode at = use;
        while (Code.MemberReadFrom(at) is { } member)
        {
            at = member.Parent!;
            path += (path.Length == 0 ? "" : ".") + member.Identifier.ValueText;
        }

        if (path.Length > 0 && at.Parent is AssignmentExpressionSyntax { RawKind: (int)SyntaxKind.SimpleAssignmentExpression } set
            && set.Left == at && set.Parent is ExpressionStatementSyntax { Parent: BlockSyntax or GlobalStatementSyntax } statement)
        {
            // Under a condition the last word is not known; nor in which order two words come.
            bool isPlain = !statement.Ancestors().TakeWhile(a => a != function).Any(IsConditional);
            if (!isPlain || _written.ContainsKey(path) || model.GetOperation(set.Right, cancellation) is not { } value) return false;
            _written[path] = value;
            return true;
        }

        // A policy for each attempt changes nothing here; one for each call may set the key.
        return path == "AddPolicy" && at.Parent is InvocationExpressionSyntax call && call.Parent is ExpressionStatementSyntax
            && call.ArgumentList.Arguments is { Count: 2 } arguments
            && arguments[1].Expression is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "PerTry" or "PerRetry" or "BeforeTransport" };
    }

    private static bool IsConditional(SyntaxNode node) =>
        node is IfStatementSyntax or SwitchStatementSyntax or TryStatementSyntax || Code.IsLoop(node) || Code.IsFunction(node);
}

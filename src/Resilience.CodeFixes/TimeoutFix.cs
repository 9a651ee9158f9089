using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;
using Microsoft.CodeAnalysis.Formatting;
using Resilience.Analyzers;

namespace Resilience.CodeFixes;

/// <summary>Gives the pipeline the time that the client had, as its total, and the client none of its own. RES104.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(TimeoutFix)), Shared]
public sealed class TimeoutFix() : Fix("Make it the total of the pipeline", "RES104")
{
    private protected override Action<SyntaxEditor>? Plan(SyntaxNode at, FixScope scope)
    {
        if (at.FirstAncestorOrSelf<AssignmentExpressionSyntax>() is not { } set) return null;
        if (set.FirstAncestorOrSelf<LambdaExpressionSyntax>() is not { } lambda) return null;
        if (lambda.Parent is not ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax client } || !scope.StandsAlone(set.Right)) return null;
        if (ChainOf(client).FirstOrDefault(static c => NameOf(c) is "AddStandardResilience" or "AddResilience") is not { } added) return null;
        if (Given(added, set.Right) is not { } give) return null;
        if (Taken(set, lambda, client) is not { } take) return null;
        return client.Span.Contains(added.Span) ? editor => { give(editor); take(editor); } : editor => { take(editor); give(editor); };
    }

    private static string NameOf(InvocationExpressionSyntax call) =>
        call.Expression is MemberAccessExpressionSyntax access ? access.Name.Identifier.ValueText : "";

    private static IEnumerable<InvocationExpressionSyntax> ChainOf(InvocationExpressionSyntax call)
    {
        SyntaxNode end = call;
        while (Code.MemberReadFrom(end) is { Parent.Parent: InvocationExpressionSyntax next }) end = next;
        for (; end is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax access } one; end = access.Expression) yield return one;
    }

    private static Action<SyntaxEditor>? Given(InvocationExpressionSyntax added, ExpressionSyntax time)
    {
        time = time.WithoutTrivia();
        if (NameOf(added) == "AddResilience")
        {
            ArgumentSyntax? total = added.ArgumentList.DescendantNodes().OfType<InvocationExpressionSyntax>()
                .LastOrDefault(static i => NameOf(i) == "AddTimeout")?.ArgumentList.Arguments.FirstOrDefault();
            return total is null ? null : editor => editor.ReplaceNode(total.Expression, time);
        }

        if (added.ArgumentList.Arguments.Count == 0)
        {
            ExpressionSyntax configure = SyntaxFactory.SimpleLambdaExpression(
                SyntaxFactory.Parameter(SyntaxFactory.Identifier("options")),
                SyntaxFactory.AssignmentExpression(SyntaxKind.SimpleAssignmentExpression, SyntaxFactory.ParseExpression("options.TotalTimeout"), time));
            return editor => editor.ReplaceNode(added, (a, _) => ((InvocationExpressionSyntax)a)
                .AddArgumentListArguments(SyntaxFactory.Argument(configure.NormalizeWhitespace())));
        }

        AssignmentExpressionSyntax? said = added.ArgumentList.DescendantNodes().OfType<AssignmentExpressionSyntax>()
            .FirstOrDefault(static a => a.Left is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "TotalTimeout" });
        return said is null ? null : editor => editor.ReplaceNode(said.Right, time);
    }

    private static Action<SyntaxEditor>? Taken(AssignmentExpressionSyntax set, LambdaExpressionSyntax lambda, InvocationExpressionSyntax client)
    {
        if (lambda.Block is { Statements.Count: > 1 } block)
        {
            return set.Parent is ExpressionStatementSyntax { Parent: BlockSyntax around } statement && around == block
                ? editor => editor.RemoveNode(statement)
                : null;
        }

        if (lambda.Block is null ? lambda.ExpressionBody != set : set.Parent?.Parent != lambda.Block) return null;
        if (NameOf(client) == "AddHttpClient") return editor => editor.RemoveNode(lambda.Parent!);
        return NameOf(client) != "ConfigureHttpClient" ? null : editor => editor.ReplaceNode(client, static (c, _) =>
            ((MemberAccessExpressionSyntax)((InvocationExpressionSyntax)c).Expression).Expression.WithAdditionalAnnotations(Formatter.Annotation));
    }
}

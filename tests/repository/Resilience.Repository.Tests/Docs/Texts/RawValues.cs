using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Docs.Texts;

/// <summary>Values that stand in a text as the code has them: a span of time in the framework's form or with a unit of its own, and a member of an enum by its
/// name in the code. Spans are written by <c>TimeText</c> (outside of the core by <c>SpanText</c>), members of enums in words.</summary>
internal static class RawValues
{
    /// <summary>Parts of a span: who writes one into a text writes a unit behind it.</summary>
    private static readonly string[] Parts = ["TotalSeconds", "TotalMilliseconds", "TotalMinutes", "TotalHours", "TotalDays", "Seconds", "Milliseconds"];

    internal static IEnumerable<string> In(CSharpCompilation compilation)
    {
        foreach (SyntaxTree tree in compilation.SyntaxTrees)
        {
            SemanticModel model = compilation.GetSemanticModel(tree);
            foreach (InterpolationSyntax hole in tree.GetRoot().DescendantNodes().OfType<InterpolationSyntax>().Where(h => !IsForDebugger(h)))
            {
                InterpolatedStringExpressionSyntax whole = (InterpolatedStringExpressionSyntax)hole.Parent!;
                if (SourceTexts.IsMessage(whole, model) || model.GetTypeInfo(hole.Expression).Type is not { } type) continue;
                string file = Path.GetFileName(tree.FilePath);
                if (Held(type) is { } held) yield return $"{file}: {hole} is a {held}";
                else if (hole.Expression is MemberAccessExpressionSyntax part && IsSpan(model.GetTypeInfo(part.Expression).Type)
                    && Parts.Contains(part.Name.Identifier.Text)) yield return $"{file}: {hole} is a part of a span";
            }
        }
    }

    private static string? Held(ITypeSymbol type)
    {
        ITypeSymbol held = type is INamedTypeSymbol { ConstructedFrom.SpecialType: SpecialType.System_Nullable_T } maybe ? maybe.TypeArguments[0] : type;
        return held.TypeKind == TypeKind.Enum ? held.Name : IsSpan(held) ? "TimeSpan" : null;
    }

    private static bool IsSpan(ITypeSymbol? type) => type is { Name: "TimeSpan", ContainingNamespace.Name: "System" };

    private static bool IsForDebugger(InterpolationSyntax hole) =>
        hole.Ancestors().OfType<MethodDeclarationSyntax>().FirstOrDefault()?.Identifier.Text is "PrintMembers" or "GetGroup" or "ToString";
}

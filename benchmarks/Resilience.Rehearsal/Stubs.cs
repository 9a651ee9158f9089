using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Rehearsal;

/// <summary>Empty types and namespaces in place of packages and projects that are not here. Members of theirs stay unknown; errors that were there before
/// do not count.</summary>
internal static class Stubs
{
    private const int MaxRounds = 4;

    internal static CSharpCompilation Complete(CSharpCompilation compilation)
    {
        HashSet<string> types = [], namespaces = [];
        for (int round = 0; round < MaxRounds; round++)
        {
            int before = types.Count + namespaces.Count;
            foreach (UsingDirectiveSyntax import in compilation.SyntaxTrees
                .SelectMany(t => t.GetCompilationUnitRoot().DescendantNodes().OfType<UsingDirectiveSyntax>()))
            {
                if (import.Alias is null && import.Name is { } name && import.StaticKeyword.RawKind == 0
                    && compilation.GetSemanticModel(import.SyntaxTree).GetSymbolInfo(name).Symbol is null) namespaces.Add(name.ToString());
            }

            foreach (Diagnostic missing in compilation.GetDiagnostics().Where(d => d.Id is "CS0246" or "CS0103"))
            {
                SyntaxNode node = missing.Location.SourceTree!.GetRoot().FindNode(missing.Location.SourceSpan);
                if (missing.Id == "CS0246" && node.FirstAncestorOrSelf<UsingDirectiveSyntax>() is null
                    && node.DescendantNodesAndSelf().OfType<SimpleNameSyntax>().FirstOrDefault() is { } name) types.Add(DeclarationOf(name));
            }

            if (types.Count + namespaces.Count == before) break;
            string text = string.Join("\n", types) + "\n" + string.Join("\n", namespaces.Select(n => $"namespace {n} {{ }}"));
            compilation = compilation.RemoveSyntaxTrees(compilation.SyntaxTrees.Where(t => t.FilePath == "Stubs.cs"))
                .AddSyntaxTrees(CSharpSyntaxTree.ParseText(text, path: "Stubs.cs"));
        }

        return compilation;
    }

    private static string DeclarationOf(SimpleNameSyntax name)
    {
        string parameters = name is GenericNameSyntax generic
            ? "<" + string.Join(", ", Enumerable.Range(0, generic.TypeArgumentList.Arguments.Count).Select(i => "T" + i)) + ">" : "";
        string text = name.Identifier.ValueText;
        if (name.FirstAncestorOrSelf<AttributeSyntax>() is not null) return $"public class {text}Attribute : System.Attribute;";
        if (text.EndsWith("Exception", StringComparison.Ordinal)) return $"public class {text}{parameters} : System.Exception;";
        return text.Length > 1 && text[0] == 'I' && char.IsUpper(text[1]) ? $"public interface {text}{parameters};" : $"public class {text}{parameters};";
    }
}

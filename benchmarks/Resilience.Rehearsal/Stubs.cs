using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Rehearsal;

/// <summary>Types and namespaces in place of packages and projects that are not here, with the members that are used, each of type <c>dynamic</c>. What is
/// known of nothing stays unknown; errors that were there before do not count.</summary>
internal static class Stubs
{
    private const int MaxRounds = 6;

    internal static CSharpCompilation Complete(CSharpCompilation compilation)
    {
        HashSet<string> types = [], namespaces = [];
        HashSet<(string Space, string Type)> qualified = [];
        Dictionary<string, HashSet<string>> members = [];
        HashSet<string> aliases =
        [
            .. compilation.SyntaxTrees.SelectMany(t => t.GetCompilationUnitRoot().DescendantNodes().OfType<UsingDirectiveSyntax>())
                .Select(u => u.Alias?.Name.Identifier.ValueText).OfType<string>(),
        ];
        for (int round = 0; round < MaxRounds; round++)
        {
            int before = types.Count + namespaces.Count + qualified.Count + members.Values.Sum(static m => m.Count);
            foreach (UsingDirectiveSyntax import in compilation.SyntaxTrees
                .SelectMany(t => t.GetCompilationUnitRoot().DescendantNodes().OfType<UsingDirectiveSyntax>()))
            {
                if (import.Alias is not null && import.Name is QualifiedNameSyntax of
                    && compilation.GetSemanticModel(import.SyntaxTree).GetSymbolInfo(of).Symbol is null)
                    qualified.Add((of.Left.ToString(), DeclarationOf(of.Right)));
                if (import.Alias is null && import.Name is { } name && import.StaticKeyword.RawKind == 0
                    && compilation.GetSemanticModel(import.SyntaxTree).GetSymbolInfo(name).Symbol is null) namespaces.Add(name.ToString());
            }

            foreach (Diagnostic missing in FindIn(compilation).Where(d => d.Id is "CS0246" or "CS0234" or "CS0103" or "CS1061" or "CS0117"))
            {
                SyntaxNode node = missing.Location.SourceTree!.GetRoot().FindNode(missing.Location.SourceSpan);
                if (missing.Id == "CS0234")
                {
                    if (node.AncestorsAndSelf().FirstOrDefault(static a => a is QualifiedNameSyntax or MemberAccessExpressionSyntax) is { } full
                        && node.FirstAncestorOrSelf<UsingDirectiveSyntax>() is null) AddIn(compilation, full, qualified);
                    continue;
                }

                if (missing.Id == "CS0103") AddStatic(node, types);
                else if (missing.Id != "CS0246") AddMember(compilation, node, members);
                else if (node.FirstAncestorOrSelf<UsingDirectiveSyntax>() is null
                    && node.DescendantNodesAndSelf().OfType<SimpleNameSyntax>().FirstOrDefault() is { } name) types.Add(DeclarationOf(name));
            }

            if (types.Count + namespaces.Count + qualified.Count + members.Values.Sum(static m => m.Count) == before) break;
            string text = string.Join("\n", types.Where(t => !aliases.Contains(NameOf(t))).Select(t => With(t, members)))
                + "\n" + string.Join("\n", qualified.Select(q => $"namespace {q.Space} {{ {With(q.Type, members)} }}"))
                + "\n" + string.Join("\n", namespaces.Select(n => $"namespace {n} {{ }}"));
            compilation = compilation.RemoveSyntaxTrees(compilation.SyntaxTrees.Where(t => t.FilePath == "Stubs.cs"))
                .AddSyntaxTrees(CSharpSyntaxTree.ParseText(text, path: "Stubs.cs"));
        }

        return compilation;
    }

    /// <summary>A type in a namespace that is there without it.</summary>
    private static void AddIn(CSharpCompilation compilation, SyntaxNode full, HashSet<(string Space, string Type)> qualified)
    {
        (SyntaxNode left, SimpleNameSyntax right) = full is QualifiedNameSyntax name ? (name.Left, name.Right)
            : ((SyntaxNode)((MemberAccessExpressionSyntax)full).Expression, ((MemberAccessExpressionSyntax)full).Name);
        if (compilation.GetSemanticModel(full.SyntaxTree).GetSymbolInfo(left).Symbol is INamespaceSymbol { IsGlobalNamespace: false } space
            && char.IsUpper(right.Identifier.ValueText[0])) qualified.Add((space.ToDisplayString(), DeclarationOf(right)));
    }

    /// <summary>What is asked of a stub: a property, or a method for any arguments.</summary>
    private static void AddMember(CSharpCompilation compilation, SyntaxNode node, Dictionary<string, HashSet<string>> members)
    {
        SimpleNameSyntax? name = node as SimpleNameSyntax ?? (node as MemberAccessExpressionSyntax)?.Name;
        if (name?.Parent is AssignmentExpressionSyntax set && set.Left == name && set.Parent?.Parent is BaseObjectCreationExpressionSyntax made)
        {
            ITypeSymbol? type = compilation.GetSemanticModel(node.SyntaxTree).GetTypeInfo(made).Type;
            if (IsStub(type)) Add(type!, $"public dynamic {name.Identifier.ValueText} {{ get; set; }}", members);
            return;
        }

        if (name?.Parent is not MemberAccessExpressionSyntax access) return;
        SemanticModel model = compilation.GetSemanticModel(node.SyntaxTree);
        ITypeSymbol? of = model.GetTypeInfo(access.Expression).Type;
        bool isStatic = model.GetSymbolInfo(access.Expression).Symbol is INamedTypeSymbol;
        if (!IsStub(of)) return;
        bool isInterface = of!.TypeKind == TypeKind.Interface;
        bool isCalled = access.Parent is InvocationExpressionSyntax;
        bool isPredicate = access.Parent is ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax handles } }
            && handles.Name.Identifier.ValueText is "Handle" or "Or" or "HandleInner" or "OrInner" or "HandleResult" or "OrResult";
        string head = (isStatic ? "public static " : isInterface ? "" : "public ") + "dynamic " + name.Identifier.ValueText;
        string parameters = name is GenericNameSyntax generic
            ? "<" + string.Join(", ", Enumerable.Range(0, generic.TypeArgumentList.Arguments.Count).Select(i => "M" + i)) + ">" : "";
        string tail = isCalled ? $"{parameters}(params object[] values){(isInterface && !isStatic ? ";" : " => null;")}" : " { get; set; }";
        if (AskedFor(access, model) is { } asked) head = head.Replace("dynamic ", asked + " ", StringComparison.Ordinal);
        string predicate = head.Replace("dynamic ", "bool ", StringComparison.Ordinal) + $"(object value){(isInterface ? ";" : " => false;")}";
        Add(of, isPredicate ? predicate : head + tail, members);
    }

    /// <summary>The simple type of the parameter that the member is handed to, where the call takes one.</summary>
    private static string? AskedFor(MemberAccessExpressionSyntax access, SemanticModel model)
    {
        if (access.Parent is not ArgumentSyntax { Parent: ArgumentListSyntax { Parent: InvocationExpressionSyntax call } all } argument) return null;
        int index = all.Arguments.IndexOf(argument);
        return model.GetMemberGroup(call.Expression).OfType<IMethodSymbol>().Where(static m => m.ContainingAssembly?.Name == "Polly")
            .Select(m => argument.NameColon is { } name ? m.Parameters.FirstOrDefault(p => p.Name == name.Name.Identifier.ValueText)
                : m.Parameters.ElementAtOrDefault(index))
            .Select(static p => p?.Type)
            .FirstOrDefault(static t => t is { SpecialType: SpecialType.System_Int32 or SpecialType.System_Double } or { Name: "TimeSpan" })
            ?.ToDisplayString();
    }

    private static bool IsStub(ITypeSymbol? type) => type?.DeclaringSyntaxReferences.FirstOrDefault()?.SyntaxTree.FilePath == "Stubs.cs";

    private static void Add(ITypeSymbol type, string member, Dictionary<string, HashSet<string>> members)
    {
        if (!members.TryGetValue(type.Name, out HashSet<string>? known)) members[type.Name] = known = [];
        known.Add(member);
    }

    /// <summary>A name that only a class can have: one of its members is asked for.</summary>
    private static void AddStatic(SyntaxNode node, HashSet<string> types)
    {
        if (node is IdentifierNameSyntax { Parent: MemberAccessExpressionSyntax access } name && access.Expression == name
            && char.IsUpper(name.Identifier.ValueText[0])) types.Add($"public class {name.Identifier.ValueText};");
    }

    private static string NameOf(string declaration) => declaration.Split([':', ';', '<'])[0].Trim().Split(' ')[^1];

    /// <summary>What is missing in the files that use Polly; what the others miss does not matter.</summary>
    private static IEnumerable<Diagnostic> FindIn(CSharpCompilation compilation) => compilation.SyntaxTrees
        .Where(static t => File.Exists(t.FilePath) && Checkout.MentionsPolly(t.FilePath))
        .SelectMany(t => compilation.GetSemanticModel(t).GetDiagnostics());

    private static string With(string declaration, Dictionary<string, HashSet<string>> members)
    {
        string name = NameOf(declaration);
        return Opened(declaration, name) + (members.TryGetValue(name, out HashSet<string>? known) ? string.Join(" ", known) : "") + " }";
    }

    private static string Opened(string declaration, string name) => declaration.TrimEnd(';') + " { "
        + (declaration.StartsWith("public class", StringComparison.Ordinal) && !name.EndsWith("Attribute", StringComparison.Ordinal)
            ? $"public {name}() {{ }} public {name}(params object[] values) {{ }} " : "");

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

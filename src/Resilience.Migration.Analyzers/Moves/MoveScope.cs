using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>What the moves of one file share: its symbols, its names, and the unit that is being written.</summary>
internal sealed class MoveScope(
    SyntaxTree tree, Func<SyntaxTree, SemanticModel> models, Dictionary<object, BuilderFacts> facts, FileNames names, CancellationToken cancellation)
{
    private const string Uses = "uses"; // apart from what stands for the options themselves

    private readonly HashSet<object> _classified = [];
    private readonly Dictionary<TypeDeclarationSyntax, SortedDictionary<string, string>> _fields = [];

    internal SemanticModel Model { get; } = models(tree);

    internal CancellationToken Cancellation { get; } = cancellation;

    internal FileNames Names { get; } = names;

    internal PredicateReader Predicates { get; } = new(models, cancellation);

    internal Makers Makers { get; } = new(models, cancellation);

    internal Unit? Current { get; set; }

    /// <summary>Translates a part.</summary>
    internal Func<SyntaxNode, SyntaxNode> Visit { get; set; } = static n => n;

    /// <summary>The model of the file that a node stands in.</summary>
    internal SemanticModel ModelOf(SyntaxNode node) => models(node.SyntaxTree);

    internal BuilderFacts FactsOf(object key) => facts.TryGetValue(key, out BuilderFacts? known) ? known : facts[key] = new();

    internal BuilderFacts? KnownOf(object key) => facts.TryGetValue(key, out BuilderFacts? known) ? known : null;

    /// <summary>Options that are made elsewhere are added to this builder.</summary>
    internal void Use(BaseObjectCreationExpressionSyntax options, object key) => FactsOf((Uses, options)).Users.Add(FactsOf(key));

    /// <summary>The builders that options which are made elsewhere are added to.</summary>
    internal IReadOnlyCollection<BuilderFacts> UsersOf(BaseObjectCreationExpressionSyntax options) => KnownOf((Uses, options))?.Users ?? [];

    /// <summary>A field that what is written needs; each name once.</summary>
    internal void AddField(TypeDeclarationSyntax type, string name, string declaration)
    {
        if (!_fields.TryGetValue(type, out SortedDictionary<string, string>? fields)) _fields[type] = fields = new(StringComparer.Ordinal);
        fields[name] = declaration;
    }

    internal IEnumerable<string> FieldsOf(TypeDeclarationSyntax type) =>
        _fields.TryGetValue(type, out SortedDictionary<string, string>? fields) ? fields.Values : [];

    internal bool IsFirst(object key) => _classified.Add(key);
}

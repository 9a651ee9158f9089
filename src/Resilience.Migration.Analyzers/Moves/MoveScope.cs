using Microsoft.CodeAnalysis;

namespace Resilience.Migration;

/// <summary>What the moves of one file share: its symbols, its names, and the unit that is being written.</summary>
internal sealed class MoveScope(
    SyntaxTree tree, Func<SyntaxTree, SemanticModel> models, Dictionary<object, BuilderFacts> facts, FileNames names, CancellationToken cancellation)
{
    private readonly HashSet<object> _classified = [];

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

    internal bool IsFirst(object key) => _classified.Add(key);
}

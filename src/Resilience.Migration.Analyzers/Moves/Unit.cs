using Microsoft.CodeAnalysis;

namespace Resilience.Migration;

/// <summary>A statement, member or catch clause that names something of theirs.</summary>
internal sealed class Unit(SyntaxNode node)
{
    private readonly List<(SyntaxNode Node, ISymbol Symbol)> _seen = [];

    internal SyntaxNode Node { get; } = node;

    /// <summary>The places, in their order.</summary>
    internal IReadOnlyList<(SyntaxNode Node, ISymbol Symbol)> Seen => _seen;

    /// <summary>Why it stays on Polly, in one sentence; null: nothing speaks against moving it.</summary>
    internal string? Problem { get; private set; }

    /// <summary>What the compiler said of the same written for this library, for who reads the list; null: it was not asked, or said nothing.</summary>
    internal string? Fault { get; private set; }

    internal DiagnosticDescriptor Rule { get; private set; } = MigrationRules.Pipelines;

    /// <summary>Does its comment stand there from a former run?</summary>
    internal bool IsCommented => Node.GetLeadingTrivia().ToFullString().Contains(MigrationRules.Mark);

    internal void See(SyntaxNode node, ISymbol symbol)
    {
        if (_seen.Count == 0) Rule = Theirs.RuleOf(symbol);
        _seen.Add((node, symbol));
    }

    internal void Stay(DiagnosticDescriptor rule, string problem, string? fault = null)
    {
        if (Problem is not null) return;
        (Rule, Problem, Fault) = (rule, problem, fault);
    }
}

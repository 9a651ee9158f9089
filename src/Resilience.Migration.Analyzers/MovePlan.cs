using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>What a whole project becomes. Nothing is written that the compiler would reject: what does not compile stays as it was, with all that
/// hangs together with it, and says so in a comment.</summary>
internal sealed class MovePlan
{
    private const int MaxRounds = 12;

    private readonly Compilation _compilation;
    private readonly CancellationToken _cancellation;
    private readonly Dictionary<SyntaxTree, SemanticModel> _models = [];
    private readonly Units _units;
    private readonly HashSet<object> _staying = [];
    private readonly HashSet<(Unit Unit, string Fault)> _faultsBefore = [];
    private readonly bool _hasGlobalUsings;

    private MovePlan(Compilation compilation, Func<Compilation, SyntaxTree, SemanticModel> modelOf, CancellationToken cancellation)
    {
        (_compilation, _cancellation) = (compilation, cancellation);
        foreach (SyntaxTree tree in compilation.SyntaxTrees) _models[tree] = modelOf(compilation, tree);
        _units = Migration.Units.Of(compilation, t => _models[t], cancellation);
        _hasGlobalUsings = compilation.SyntaxTrees.Any(t => UsingsOf(t).Any(static u => u.GlobalKeyword.RawKind != 0 && IsTheirs(u)));
    }

    internal IEnumerable<Unit> Units => _units.All.Where(static u => u.Seen.Count > 0 || u.Problem is not null);

    /// <summary>The files that change, and what they become.</summary>
    internal Dictionary<SyntaxTree, SyntaxNode> Changed { get; private set; } = [];

    internal bool Moves(Unit unit) => !_staying.Contains(_units.GroupOf(unit));

    /// <summary>A number that the units share which move or stay together.</summary>
    internal int GroupOf(Unit unit) => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(_units.GroupOf(unit));

    internal static MovePlan Of(Compilation compilation, Func<Compilation, SyntaxTree, SemanticModel> modelOf, CancellationToken cancellation)
    {
        MovePlan plan = new(compilation, modelOf, cancellation);
        plan.Decide(modelOf);
        return plan;
    }

    private void Decide(Func<Compilation, SyntaxTree, SemanticModel> modelOf)
    {
        Diagnostic[] errors = [.. ErrorsOf(_compilation)];
        HashSet<string> before = [.. errors.Select(Name)];
        foreach (Diagnostic error in errors)
        {
            SyntaxNode at = error.Location.SourceTree!.GetRoot(_cancellation).FindNode(error.Location.SourceSpan);
            if (at.AncestorsAndSelf().Select(_units.At).FirstOrDefault(static u => u is not null) is { } unit)
                _faultsBefore.UnionWith([(unit, FaultOf(error, unit)), (unit, PlaceOf(at))]);
        }

        for (int round = 0; round < MaxRounds; round++)
        {
            while (Settle()) Rewrite(comments: false); // until what cannot move has pulled all that hangs on it
            Changed = Rewrite(comments: false);
            if (Settle()) continue;
            Compilation after = Changed.Aggregate(_compilation, static (c, change) => c.ReplaceSyntaxTree(change.Key, TreeOf(change.Key, change.Value)));
            if (!Reject(after, before)) break;
        }

        Changed = Rewrite(comments: true);
    }

    private static SyntaxTree TreeOf(SyntaxTree old, SyntaxNode root) => old.WithRootAndOptions(root, old.Options);

    private static IEnumerable<Diagnostic> ErrorsOf(Compilation compilation) =>
        compilation.GetDiagnostics().Where(static d => d.Severity == DiagnosticSeverity.Error && d.Location.IsInSource);

    private static string Name(Diagnostic error) => error.Id + error.GetMessage(CultureInfo.InvariantCulture) + error.Location.SourceTree?.FilePath;

    /// <summary>An error without the names of types of both libraries: what else is said, and which names of the program it is about.</summary>
    private static string FaultOf(Diagnostic error, Unit unit)
    {
        string[] parts = error.GetMessage(CultureInfo.InvariantCulture).Split('\'');
        string text = unit.Node.ToString();
        return error.Id + string.Concat(parts.Select((p, i) => i % 2 == 0 ? p : Theirs.IsName(p) || !text.Contains(p) ? "" : p));
    }

    /// <summary>The call that an error is in.</summary>
    private static string PlaceOf(SyntaxNode at) =>
        (at.FirstAncestorOrSelf<SyntaxNode>(static a => a is InvocationExpressionSyntax or BaseObjectCreationExpressionSyntax) ?? at).ToString();

    /// <summary>Takes in what has been found out; true when something new stays.</summary>
    private bool Settle()
    {
        int before = _staying.Count;
        foreach (Unit unit in _units.All.Where(static u => u.Problem is not null || u.IsCommented)) _staying.Add(_units.GroupOf(unit));
        bool isMixed = _units.All.Any(u => u.Seen.Any(static s => !IsException(s.Symbol)) && !Moves(u));
        bool hasClients = _units.All.Any(static u => u.Seen.Any(static s => Theirs.RuleOf(s.Symbol) == MigrationRules.Clients));
        foreach (Unit unit in _units.All.Where(static u => u.Seen.Count > 0 && u.Seen.All(static s => IsException(s.Symbol))))
        {
            if (!isMixed && !hasClients) continue;
            unit.Stay(MigrationRules.Calls, isMixed
                ? "both exceptions come while some pipelines are those of Polly: catch that of ours too"
                : "around a client of HTTP it is HttpResilienceException that comes, with Rejection or IsTimeout; around a pipeline the one of ours");
            _staying.Add(_units.GroupOf(unit));
        }

        return _staying.Count > before;
    }

    private static bool IsException(ISymbol symbol) => (symbol as INamedTypeSymbol ?? symbol.ContainingType)?.Name.EndsWith("Exception",
        StringComparison.Ordinal) == true;

    private Dictionary<SyntaxTree, SyntaxNode> Rewrite(bool comments)
    {
        Dictionary<object, BuilderFacts> facts = [];
        SyntaxTree[] trees = [.. _units.All.Select(static u => u.Node.SyntaxTree).Concat(_hasGlobalUsings ? _compilation.SyntaxTrees.Where(t =>
            UsingsOf(t).Any(IsTheirs)) : []).Distinct()];
        foreach (SyntaxTree tree in trees) RewriterOf(tree, facts, new(false), comments).Collect(tree.GetRoot(_cancellation));
        Dictionary<SyntaxTree, SyntaxNode> changed = [];
        bool isAnyLeft = _units.All.Any(u => !Moves(u));
        foreach (SyntaxTree tree in trees)
        {
            SyntaxNode root = tree.GetRoot(_cancellation);
            bool isMixed = _units.All.Any(u => u.Node.SyntaxTree == tree && !Moves(u)) || (_hasGlobalUsings && isAnyLeft);
            FileNames names = new(isMixed);
            SyntaxNode rewritten = RewriterOf(tree, facts, names, comments).Visit(root)!;
            if (rewritten != root || !isMixed) rewritten = WithUsings((CompilationUnitSyntax)rewritten, names, isMixed);
            if (!rewritten.IsEquivalentTo(root)) changed[tree] = rewritten;
        }

        return changed;
    }

    private MoveRewriter RewriterOf(SyntaxTree tree, Dictionary<object, BuilderFacts> facts, FileNames names, bool comments) =>
        new(new(tree, t => _models[t], facts, names, _cancellation), _units, Moves, comments);

    /// <summary>Marks what did not compile; false when all does.</summary>
    private bool Reject(Compilation after, HashSet<string> before)
    {
        bool any = false;
        HashSet<object> stayed = [.. _staying];
        foreach (Diagnostic error in ErrorsOf(after).Where(e => !before.Contains(Name(e))))
        {
            SyntaxNode at = error.Location.SourceTree!.GetRoot(_cancellation).FindNode(error.Location.SourceSpan);
            foreach (Unit unit in UnitsAround(at, error.Location.SourceTree, stayed))
            {
                // It had the same fault, which speaks of other types now.
                if (_faultsBefore.Contains((unit, FaultOf(error, unit))) || _faultsBefore.Contains((unit, PlaceOf(at)))) continue;
                unit.Stay(unit.Rule, $"the same written for Resilience does not compile here ({error.Id}): move it by hand",
                    error.GetMessage(CultureInfo.InvariantCulture));
                any |= _staying.Add(_units.GroupOf(unit));
            }
        }

        return any;
    }

    /// <summary>The unit that was rewritten there; where there is none, or it stays and does not fit what moves, all of the file.</summary>
    private Unit[] UnitsAround(SyntaxNode at, SyntaxTree tree, HashSet<object> stayed)
    {
        string? mark = at.AncestorsAndSelf().SelectMany(static a => a.GetAnnotations(MoveRewriter.UnitMark)).FirstOrDefault()?.Data;
        Unit[] here = [.. _units.All.Where(u => u.Node.SyntaxTree.FilePath == tree.FilePath)];
        Unit? exact = here.FirstOrDefault(u => u.Node.SpanStart.ToString(CultureInfo.InvariantCulture) == mark);
        return exact is not null && !stayed.Contains(_units.GroupOf(exact)) ? [exact] : [.. here.Where(Moves)];
    }

    private static IEnumerable<UsingDirectiveSyntax> UsingsOf(SyntaxTree tree) => tree.GetRoot().DescendantNodes(static n =>
        n is CompilationUnitSyntax or BaseNamespaceDeclarationSyntax).OfType<UsingDirectiveSyntax>();

    private static bool IsTheirs(UsingDirectiveSyntax import) => import.Alias is null && import.Name?.ToString() is { } name
        && (name == "Polly" || name.StartsWith("Polly.", StringComparison.Ordinal) || name == "Microsoft.Extensions.Http.Resilience");

    private static CompilationUnitSyntax WithUsings(CompilationUnitSyntax root, FileNames names, bool isMixed)
    {
        SyntaxTriviaList head = root.GetLeadingTrivia();
        bool startsWithTheirs = root.Usings.Count > 0 && IsTheirs(root.Usings[0]);
        if (!isMixed && root.DescendantNodes().OfType<UsingDirectiveSyntax>().Where(IsTheirs).ToArray() is { Length: > 0 } gone)
        {
            root = root.RemoveNodes(gone, SyntaxRemoveOptions.KeepNoTrivia)!;
            if (startsWithTheirs && root.Usings.Count > 0) root = root.WithLeadingTrivia(head);
        }

        HashSet<string> present = [.. root.Usings.Select(static u => (u.StaticKeyword.RawKind != 0 ? "static " : "") + u.Name)];
        UsingDirectiveSyntax[] added = [.. names.Usings.Where(u => !present.Contains(u)).Select(Import)];
        if (added.Length == 0) return root;
        if (root.Usings.Count > 0) return root.WithUsings(root.Usings.AddRange(added));
        if (startsWithTheirs) return root.WithUsings(SyntaxFactory.List(added)).WithLeadingTrivia(head);
        SyntaxTriviaList leading = root.GetLeadingTrivia();
        return root.WithoutLeadingTrivia().WithUsings(SyntaxFactory.List(added)).WithLeadingTrivia(leading);
    }

    private static UsingDirectiveSyntax Import(string name) =>
        (UsingDirectiveSyntax)SyntaxFactory.ParseCompilationUnit($"using {name};\n").Usings[0];
}

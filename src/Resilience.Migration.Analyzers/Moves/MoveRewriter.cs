using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Writes one file anew: what moves is translated, what stays gets its comment. What cannot be translated for certain is told to its unit, which
/// then stays with all that hangs together with it.</summary>
internal sealed class MoveRewriter : CSharpSyntaxRewriter
{
    internal const string UnitMark = "resilience-unit";

    private readonly MoveScope _scope;
    private readonly Units _units;
    private readonly Func<Unit, bool> _moves;
    private readonly bool _comments;
    private readonly OptionsMove _options;
    private readonly OldMove _old;
    private readonly OldCalls _calls;
    private readonly StrategyMove _strategies;
    private readonly ClientMove _clients;
    private readonly RegistryMove _registries;
    private readonly ContextMove _contexts;
    private readonly ScheduleMove _schedules;

    internal MoveRewriter(MoveScope scope, Units units, Func<Unit, bool> moves, bool comments)
    {
        (_scope, _units, _moves, _comments) = (scope, units, moves, comments);
        scope.Visit = n => Visit(n)!;
        _contexts = new(scope, n => (InvocationExpressionSyntax)base.VisitInvocationExpression(n)!);
        _options = new(scope, _contexts);
        _old = new(scope, units);
        _calls = new(scope);
        _strategies = new(scope, units, _options, n => (InvocationExpressionSyntax)base.VisitInvocationExpression(n)!);
        _clients = new(scope, _options, _old);
        _schedules = new(scope);
        _registries = new(scope, n => (InvocationExpressionSyntax)base.VisitInvocationExpression(n)!);
    }

    private bool Moves => _scope.Current is { } unit && _moves(unit);

    /// <summary>Reads, before anything is written, what the strategies of each builder handle.</summary>
    internal void Collect(SyntaxNode root)
    {
        _strategies.Collect(root);
        _old.Collect(root);
        _clients.Collect(root, units: _units);
    }

    public override SyntaxNode? Visit(SyntaxNode? node)
    {
        if (node is null || _units.At(node) is not { } unit) return base.Visit(node);
        Unit? outer = _scope.Current;
        _scope.Current = unit;
        SyntaxNode? visited = base.Visit(node);
        _scope.Current = outer;
        if (visited is null) return null;
        if (_moves(unit)) return visited.WithAdditionalAnnotations(new SyntaxAnnotation(UnitMark, unit.Node.SpanStart.ToString()));
        return _comments && unit.Problem is { } problem && !unit.IsCommented ? WithComment(visited, unit.Rule, problem) : visited;
    }

    public override SyntaxNode? VisitIdentifierName(IdentifierNameSyntax node) =>
        TypeHere(node) is { } type ? type.WithTriviaFrom(node) : base.VisitIdentifierName(node);

    public override SyntaxNode? VisitGenericName(GenericNameSyntax node) =>
        TypeHere(node) is { } type ? type.WithTriviaFrom(node) : base.VisitGenericName(node);

    public override SyntaxNode? VisitQualifiedName(QualifiedNameSyntax node) =>
        TypeHere(node) is { } type ? type.WithTriviaFrom(node) : base.VisitQualifiedName(node);

    public override SyntaxNode? VisitMemberAccessExpression(MemberAccessExpressionSyntax node)
    {
        if (!Moves) return base.VisitMemberAccessExpression(node);
        ISymbol? symbol = SymbolOf(node);
        if (symbol is INamedTypeSymbol && TypeHere(node) is { } type) return type.WithTriviaFrom(node);
        if (symbol is not IPropertySymbol and not IFieldSymbol || !Theirs.Own(symbol)) return base.VisitMemberAccessExpression(node);
        if (symbol.ContainingType.TypeKind == TypeKind.Enum) return node.WithExpression(Visited(node.Expression));
        if (symbol is { Name: "Empty", ContainingType.Name: "ResiliencePipeline" }) return node.WithExpression(Visited(node.Expression));
        if (OptionNames.Of(symbol) is { } renamed)
            return node.WithExpression(Visited(node.Expression)).WithName(SyntaxFactory.IdentifierName(renamed).WithTriviaFrom(node.Name));
        _scope.Current!.Stay(Theirs.RuleOf(symbol), OptionNames.WhyNot(symbol));
        return node;
    }

    public override SyntaxNode? VisitObjectCreationExpression(ObjectCreationExpressionSyntax node) => Created(node) ?? base.VisitObjectCreationExpression(node);

    public override SyntaxNode? VisitImplicitObjectCreationExpression(ImplicitObjectCreationExpressionSyntax node) =>
        Created(node) ?? base.VisitImplicitObjectCreationExpression(node);

    public override SyntaxNode? VisitLocalDeclarationStatement(LocalDeclarationStatementSyntax node) =>
        Moves && _old.IsScheduleOfRetries(node) ? null : base.VisitLocalDeclarationStatement(node);

    /// <summary>Fields that what was written inside needs come first.</summary>
    public override SyntaxNode? VisitClassDeclaration(ClassDeclarationSyntax node)
    {
        ClassDeclarationSyntax visited = (ClassDeclarationSyntax)base.VisitClassDeclaration(node)!;
        MemberDeclarationSyntax[] added = [.. _scope.FieldsOf(node).Select(static f =>
            SyntaxFactory.ParseMemberDeclaration(f)!.WithTrailingTrivia(SyntaxFactory.ElasticLineFeed, SyntaxFactory.ElasticLineFeed))];
        return added.Length == 0 ? visited : visited.WithMembers(visited.Members.InsertRange(0, added));
    }

    /// <summary>What gave a context back falls away, and with it the clause that was there for it alone.</summary>
    public override SyntaxNode? VisitTryStatement(TryStatementSyntax node)
    {
        TryStatementSyntax visited = (TryStatementSyntax)base.VisitTryStatement(node)!;
        bool isEmptied = node.Finally?.Block.Statements.Count > 0 && visited.Finally?.Block.Statements.Count == 0;
        return !isEmptied ? visited : visited.Catches.Count > 0 ? visited.WithFinally(null) : visited.Block.WithLeadingTrivia(visited.GetLeadingTrivia());
    }

    public override SyntaxNode? VisitExpressionStatement(ExpressionStatementSyntax node) =>
        Moves && node.Parent is BlockSyntax && _contexts.IsReturn(node) ? null : base.VisitExpressionStatement(node);

    public override SyntaxNode? VisitInvocationExpression(InvocationExpressionSyntax node)
    {
        if (!Moves || SymbolOf(node) is not IMethodSymbol method || !Theirs.Own(method))
            return base.VisitInvocationExpression(node);
        ExpressionSyntax? moved = method.ContainingAssembly.Name switch
        {
            _ when ContextMove.Takes(method) => _contexts.Call(node, method),
            _ when method.ContainingType.Name == "Backoff" => _schedules.Waits(node, method),
            "Polly" when RegistryMove.Takes(method) => _registries.Call(node, method),
            "Polly" when OldMove.Makes(method) => _old.Policy(node, method),
            "Polly" => _calls.Call(node, method),
            "Microsoft.Extensions.Http.Resilience" or "Microsoft.Extensions.Http.Polly" => _clients.Client(node, method),
            "Polly.Extensions" => _strategies.Registration(node, method),
            _ => _strategies.Strategy(node, method),
        };
        return moved is null ? node : moved.WithTriviaFrom(node);
    }

    private ISymbol? SymbolOf(SyntaxNode node) => Theirs.SymbolOf(_scope.Model, node, _scope.Cancellation);

    private ExpressionSyntax Visited(ExpressionSyntax node) => (ExpressionSyntax)Visit(node)!;

    private ExpressionSyntax? Created(BaseObjectCreationExpressionSyntax node) => Moves ? _options.Created(node) : null;

    /// <summary>The type of ours, where a type of theirs stands.</summary>
    private TypeSyntax? TypeHere(ExpressionSyntax node)
    {
        if (!Moves || node is IdentifierNameSyntax { IsVar: true } || node.Parent is QualifiedNameSyntax { Right: var right } && right == node) return null;
        if (node.Parent is MemberAccessExpressionSyntax { Name: var name } && name == node) return null;
        if (SymbolOf(node) is not { } symbol) return null;
        if ((symbol as INamedTypeSymbol ?? (symbol as IMethodSymbol is { MethodKind: MethodKind.Constructor } made
            ? made.ContainingType : null)) is not { } type) return null;
        if (!Theirs.Own(type)) return null;
        if (Theirs.NameOf(type) is not { } ours)
        {
            _scope.Current!.Stay(Theirs.RuleOf(type), OptionNames.WhyNot(type));
            return null;
        }

        SimpleNameSyntax last = node as SimpleNameSyntax ?? (node as QualifiedNameSyntax)?.Right ?? ((MemberAccessExpressionSyntax)node).Name;
        string arguments = ours.KeepsParameters && last is GenericNameSyntax generic
            ? "<" + string.Join(", ", generic.TypeArgumentList.Arguments.Select(a => Visit(a)!.ToString())) + ">" : "";
        return SyntaxFactory.ParseTypeName(_scope.Names.OfOurs(ours.Name) + arguments);
    }

    private static SyntaxNode WithComment(SyntaxNode node, DiagnosticDescriptor rule, string problem)
    {
        SyntaxTriviaList leading = node.GetLeadingTrivia();
        SyntaxTrivia indent = leading.LastOrDefault(static t => t.IsKind(SyntaxKind.WhitespaceTrivia));
        if (leading.Count > 0 && !leading[leading.Count - 1].IsKind(SyntaxKind.WhitespaceTrivia)) indent = default;
        SyntaxTrivia comment = SyntaxFactory.Comment($"// {MigrationRules.Mark}{rule.Id}: {problem}. ({MigrationRules.PageOf(rule)})");
        if (leading.Count == 0) leading = leading.Add(SyntaxFactory.ElasticLineFeed); // on a line with others: it would belong to them when it is read again
        SyntaxTriviaList added = leading.Add(comment).Add(SyntaxFactory.ElasticLineFeed);
        if (indent.IsKind(SyntaxKind.WhitespaceTrivia)) added = added.Add(indent);
        return node.WithLeadingTrivia(added);
    }
}

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>The pieces of a compilation that name something of theirs, each the smallest statement or member around it, and which of them hang together:
/// what one makes, another holds or runs. Those that hang together move together.</summary>
internal sealed class Units
{
    private readonly Dictionary<object, object> _parents = [];
    private readonly Dictionary<SyntaxNode, Unit> _units = [];
    private readonly Compilation _compilation;
    private readonly CancellationToken _cancellation;

    private Units(Compilation compilation, CancellationToken cancellation) => (_compilation, _cancellation) = (compilation, cancellation);

    internal IEnumerable<Unit> All => _units.Values;

    internal static Units Of(Compilation compilation, Func<SyntaxTree, SemanticModel> models, CancellationToken cancellation)
    {
        Units units = new(compilation, cancellation);
        foreach (SyntaxTree tree in compilation.SyntaxTrees) units.Read(tree, models(tree));
        return units;
    }

    /// <summary>Those of one file.</summary>
    internal static Units Of(SemanticModel model, CancellationToken cancellation)
    {
        Units units = new(model.Compilation, cancellation);
        units.Read(model.SyntaxTree, model);
        return units;
    }

    internal Unit? At(SyntaxNode node) => _units.TryGetValue(node, out Unit? unit) ? unit : null;

    /// <summary>What stands for all that the unit hangs together with.</summary>
    internal object GroupOf(Unit unit) => Find(unit);

    /// <summary>The smallest statement, member, clause or accessor-holding declaration around a node.</summary>
    internal static SyntaxNode? Around(SyntaxNode node) => node.AncestorsAndSelf().FirstOrDefault(static a =>
        a is StatementSyntax and not BlockSyntax or CatchClauseSyntax
            or MemberDeclarationSyntax and not BaseNamespaceDeclarationSyntax and not GlobalStatementSyntax);

    private void Read(SyntaxTree tree, SemanticModel model)
    {
        foreach (SyntaxNode node in tree.GetRoot(_cancellation).DescendantNodes())
        {
            if (node is BaseObjectCreationExpressionSyntax or ConstructorInitializerSyntax) JoinCandidates(node, model);
            if (node is not SimpleNameSyntax && node is not ImplicitObjectCreationExpressionSyntax) continue;
            if (node.FirstAncestorOrSelf<UsingDirectiveSyntax>() is not null || node.Parent is NameColonSyntax) continue;
            ISymbol? symbol = Theirs.SymbolOf(model, node, _cancellation);
            if (symbol is null) JoinCandidates(node, model);
            if (symbol is INamespaceSymbol or null || symbol is ILabelSymbol or IRangeVariableSymbol) continue;
            bool own = Theirs.Own(symbol) && symbol is not ITypeParameterSymbol;
            bool holds = !own && IsDeclaredHere(symbol) && Holds(symbol);
            bool hands = !own && !holds && symbol is IMethodSymbol handed && handed.OriginalDefinition.Parameters.Any(static p => Theirs.IsIn(p.Type));
            if (!own && !holds && !hands) continue;
            if (Around(node) is not { } around) continue;
            Unit unit = _units.TryGetValue(around, out Unit? known) ? known : _units[around] = new(around);
            if (own) unit.See(node, symbol);
            foreach (ISymbol linked in LinkedTo(symbol)) Unite(unit, linked);
            if (own && IsInherited(node, symbol) && model.GetEnclosingSymbol(node.SpanStart, _cancellation)?.ContainingType is { } heir
                && Theirs.IsOrDerives(heir))
                Unite(unit, heir.OriginalDefinition);
            if (hands && symbol is IMethodSymbol { IsImplicitlyDeclared: false } foreign && !IsDeclaredHere(foreign))
                unit.Stay(MigrationRules.Pipelines, $"{foreign.Name} takes a type of Polly, so what is handed to it stays one");
        }

        foreach (ReturnStatementSyntax back in tree.GetRoot(_cancellation).DescendantNodes().OfType<ReturnStatementSyntax>())
        {
            // What is returned is what the method gives.
            if (!_units.TryGetValue(back, out Unit? returned)) continue;
            SyntaxNode? from = back.Ancestors().FirstOrDefault(static a => a is AnonymousFunctionExpressionSyntax or LocalFunctionStatementSyntax
                or MethodDeclarationSyntax or PropertyDeclarationSyntax);
            if (from is null or AnonymousFunctionExpressionSyntax || model.GetDeclaredSymbol(from, _cancellation) is not { } giver || !Holds(giver)) continue;
            foreach (ISymbol linked in LinkedTo(giver)) Unite(returned, linked);
        }

        foreach (SyntaxNode declaration in tree.GetRoot(_cancellation).DescendantNodes().Where(IsDeclaration))
        {
            ISymbol? declared = model.GetDeclaredSymbol(declaration, _cancellation);
            if (declared is null || !Holds(declared) || Around(declaration) is not { } around) continue;
            Unit unit = _units.TryGetValue(around, out Unit? known) ? known : _units[around] = new(around);
            foreach (ISymbol linked in LinkedTo(declared)) Unite(unit, linked);
            if (IsForeign(declared)) unit.Stay(MigrationRules.Pipelines, $"{declared.Name} has the signature of a base class that is made for Polly");
        }
    }

    /// <summary>The constructor that is called; of a call that the compiler does not decide, each that it may be.</summary>
    private void JoinCandidates(SyntaxNode node, SemanticModel model)
    {
        SymbolInfo info = model.GetSymbolInfo(node, _cancellation);
        ISymbol[] candidates = [.. (info.Symbol is { } one ? [one] : info.CandidateSymbols).Where(c => IsDeclaredHere(c) && Holds(c))];
        if (candidates.Length == 0 || Around(node) is not { } around) return;
        Unit unit = _units.TryGetValue(around, out Unit? known) ? known : _units[around] = new(around);
        foreach (ISymbol linked in candidates.SelectMany(LinkedTo)) Unite(unit, linked);
    }

    /// <summary>A member of theirs that is called on the own instance: the type is derived from one of theirs.</summary>
    private static bool IsInherited(SyntaxNode node, ISymbol symbol) => !symbol.IsStatic && symbol is IMethodSymbol or IPropertySymbol
        && (node.Parent is not MemberAccessExpressionSyntax access || access.Name != node || access.Expression is ThisExpressionSyntax or BaseExpressionSyntax);

    private static bool IsDeclaration(SyntaxNode node) =>
        node is ClassDeclarationSyntax or VariableDeclaratorSyntax or ParameterSyntax or MethodDeclarationSyntax or PropertyDeclarationSyntax
        or LocalFunctionStatementSyntax or IndexerDeclarationSyntax or SingleVariableDesignationSyntax or ForEachStatementSyntax;

    private bool IsDeclaredHere(ISymbol symbol) => SymbolEqualityComparer.Default.Equals(symbol.OriginalDefinition.ContainingAssembly, _compilation.Assembly);

    private static bool Holds(ISymbol symbol) => symbol switch
    {
        ILocalSymbol local => IsOf(local.Type) || IsSchedule(local.Type),
        IParameterSymbol parameter => IsOf(parameter.Type),
        IFieldSymbol field => IsOf(field.Type),
        IPropertySymbol property => IsOf(property.Type) || property.Parameters.Any(static p => Theirs.IsIn(p.Type)),
        IMethodSymbol { MethodKind: MethodKind.Constructor } made when Theirs.IsOrDerives(made.ContainingType) => true,
        IMethodSymbol method => Theirs.IsIn(method.ReturnType) || method.Parameters.Any(static p => Theirs.IsIn(p.Type)),
        INamedTypeSymbol type => Theirs.IsOrDerives(type),
        _ => false,
    };

    private static bool IsOf(ITypeSymbol type) => Theirs.IsIn(type) || Theirs.IsOrDerives(type);

    /// <summary>Waits that are listed, as Polly's contributors give them.</summary>
    private static bool IsSchedule(ITypeSymbol type) =>
        type is INamedTypeSymbol { Name: "IEnumerable", TypeArguments: { Length: 1 } of } && of[0].Name == "TimeSpan";

    /// <summary>The symbol, what it overrides or fulfills, and for a method its parameters: an argument becomes a parameter.</summary>
    private IEnumerable<ISymbol> LinkedTo(ISymbol symbol)
    {
        symbol = (symbol as IMethodSymbol)?.ReducedFrom ?? symbol;
        symbol = symbol.OriginalDefinition;
        if (!IsDeclaredHere(symbol)) yield break;
        yield return symbol;
        if (symbol is IMethodSymbol { MethodKind: MethodKind.Constructor } && Theirs.IsOrDerives(symbol.ContainingType)) yield return symbol.ContainingType;
        foreach (ISymbol above in BasesOf(symbol).Where(IsDeclaredHere)) yield return above.OriginalDefinition;
        if (symbol is IMethodSymbol method)
        {
            foreach (IParameterSymbol parameter in method.Parameters.Where(static p => Theirs.IsIn(p.Type))) yield return parameter;
        }
        else if (symbol is IParameterSymbol { ContainingSymbol: IMethodSymbol of } && !of.IsImplicitlyDeclared)
        {
            yield return of;
        }
    }

    private bool IsForeign(ISymbol declared) => declared is not ILocalSymbol and not IParameterSymbol && BasesOf(declared).Any(b => !IsDeclaredHere(b));

    private static IEnumerable<ISymbol> BasesOf(ISymbol symbol)
    {
        ISymbol? overridden = symbol switch
        {
            IMethodSymbol method => method.OverriddenMethod,
            IPropertySymbol property => property.OverriddenProperty,
            _ => null,
        };
        if (overridden is not null) yield return overridden;
        if (symbol is not IMethodSymbol and not IPropertySymbol || symbol.ContainingType is not { } type) yield break;
        foreach (ISymbol member in type.AllInterfaces.SelectMany(i => i.GetMembers(symbol.Name)))
        {
            if (SymbolEqualityComparer.Default.Equals(type.FindImplementationForInterfaceMember(member), symbol)) yield return member;
        }
    }

    private object Find(object item)
    {
        if (!_parents.TryGetValue(item, out object? parent)) return _parents[item] = item;
        return ReferenceEquals(parent, item) ? item : _parents[item] = Find(parent);
    }

    private void Unite(Unit unit, ISymbol symbol)
    {
        object mine = Find(unit), theirs = Find(symbol);
        if (!ReferenceEquals(mine, theirs)) _parents[theirs] = mine;
    }
}

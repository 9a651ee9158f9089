using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>Finds pipelines, breakers, budgets and limits that do not live long enough to see a second call: RES101, RES102 and RES103.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class LifetimeAnalyzer : DiagnosticAnalyzer
{
    /// <summary>How often the thing that was made is asked, and whether it gets away.</summary>
    private enum Use
    {
        Asked,
        Told,
        Harmless,
        Escapes,
    }

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } =
        [Rules.PipelinePerCall, Rules.PipelinePerUser, Rules.StatePerCall, Rules.StatePerUser, Rules.NotShared];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (Known.From(start.Compilation) is not { IsTestProject: false } known) return;
            PerUser perUser = new();
            start.RegisterOperationAction(c => CheckInvocation(c, known, perUser), OperationKind.Invocation);
            start.RegisterOperationAction(c => CheckCreation(c, known, perUser), OperationKind.ObjectCreation);
            start.RegisterCompilationEndAction(perUser.Report);
        });
    }

    private static void CheckInvocation(OperationAnalysisContext context, Known known, PerUser perUser)
    {
        IInvocationOperation call = (IInvocationOperation)context.Operation;
        perUser.SeeRegistration(call);
        if (known.IsBuild(call) || MakesAnew(call.TargetMethod, known, context.CancellationToken))
        {
            if (IsAskedOnce(call, context))
                context.ReportDiagnostic(Diagnostic.Create(Rules.PipelinePerCall, call.Syntax.GetLocation()));
            else
                perUser.SeeMade(call, Rules.PipelinePerUser, "pipeline", context.CancellationToken);
        }
        else if (Registrations.IsShortLived(call.TargetMethod) && RegisteredType(call, known) is { } type && MakesItsOwn(call, known))
        {
            Location place = (call.Syntax as InvocationExpressionSyntax)?.Expression is MemberAccessExpressionSyntax access
                ? access.Name.Identifier.GetLocation()
                : call.Syntax.GetLocation();
            context.ReportDiagnostic(Diagnostic.Create(Rules.NotShared, place, call.TargetMethod.Name, type.Name));
        }
    }

    private static void CheckCreation(OperationAnalysisContext context, Known known, PerUser perUser)
    {
        IObjectCreationOperation made = (IObjectCreationOperation)context.Operation;
        if (!known.IsGate(made.Type)) return;
        if (IsAskedOnce(made, context))
            context.ReportDiagnostic(Diagnostic.Create(Rules.StatePerCall, made.Syntax.GetLocation(), made.Type!.Name));
        else
            perUser.SeeMade(made, Rules.StatePerUser, made.Type!.Name, context.CancellationToken);
    }

    /// <summary>A method of this compilation whose every value is a pipeline that it has just built.</summary>
    private static bool MakesAnew(IMethodSymbol method, Known known, CancellationToken cancellation)
    {
        if (!known.IsPipeline(method.ReturnType) || method.IsVirtual || method.IsOverride || method.DeclaringSyntaxReferences.Length != 1) return false;
        SyntaxNode declaration = method.DeclaringSyntaxReferences[0].GetSyntax(cancellation);
        ExpressionSyntax? value = declaration switch
        {
            MethodDeclarationSyntax { ExpressionBody.Expression: var one } => one,
            LocalFunctionStatementSyntax { ExpressionBody.Expression: var one } => one,
            _ => null,
        };
        ExpressionSyntax?[] values = value is not null ? [value] :
            [.. declaration.DescendantNodes().OfType<ReturnStatementSyntax>().Where(r => Code.FunctionOf(r) == declaration).Select(static r => r.Expression)];
        return values.Length > 0 && values.All(v => IsBuilt(v, declaration));
    }

    private static bool IsBuilt(ExpressionSyntax? value, SyntaxNode within) => value switch
    {
        InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Build" }, ArgumentList.Arguments.Count: 0 } => true,
        IdentifierNameSyntax { Identifier.ValueText: var local } => within.DescendantNodes().OfType<VariableDeclaratorSyntax>()
            .Where(d => d.Identifier.ValueText == local).Select(static d => d.Initializer?.Value as InvocationExpressionSyntax).ToArray() is { Length: 1 } made
            && IsBuilt(made[0], within) && !IsKept(local, within),
        _ => false,
    };

    private static bool IsKept(string local, SyntaxNode within) => within.DescendantNodes().OfType<IdentifierNameSyntax>()
        .Any(n => n.Identifier.ValueText == local && n.Parent is AssignmentExpressionSyntax or ArgumentSyntax or EqualsValueClauseSyntax);

    /// <summary>What was made here is asked exactly once, in code that runs often, and nothing else ever gets hold of it.</summary>
    private static bool IsAskedOnce(IOperation made, OperationAnalysisContext context)
    {
        SyntaxNode whole = Code.Outermost(made.Syntax);
        if (Code.IsValueOfGetter(whole)) return true; // made anew whenever the property is read
        SyntaxNode? function = Code.FunctionOf(whole);
        if (function is null || !(Code.RunsOften(function) || Code.IsInLoop(whole, function))) return false;
        if (Code.MemberReadFrom(whole) is { } member) return UseOf(member) == Use.Asked;
        if (whole.Parent is not EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax declarator } || made.SemanticModel is not { } model) return false;
        if (model.GetDeclaredSymbol(declarator, context.CancellationToken) is not ILocalSymbol local) return false;

        SyntaxNode scope = declarator.Ancestors().FirstOrDefault(a => a is BlockSyntax or SwitchSectionSyntax) ?? function;
        IdentifierNameSyntax[] uses = [.. Code.UsesOf(local, scope, model, context.CancellationToken)];
        if (function is AccessorDeclarationSyntax && uses.Length == 1 && Code.IsValueOfGetter(Code.Outermost(uses[0]))) return true;
        return uses.Count(static u => UseOf(u) == Use.Asked) == 1
            && uses.All(u => UseOf(u) switch
            {
                Use.Harmless => true,
                Use.Escapes => false,
                _ => IsOnce(u), // what is told several times was there for several calls
            });

        bool IsOnce(IdentifierNameSyntax use) => !Code.IsInLoop(use, scope) && Code.FunctionOf(use) == function
            && (UseOf(use) == Use.Asked || uses.Count(u => NameOf(u) == NameOf(use)) == 1);
    }

    private static string? NameOf(IdentifierNameSyntax use) => Code.MemberReadFrom(use)?.Identifier.ValueText;

    private static Use UseOf(IdentifierNameSyntax name) => Code.MemberReadFrom(name) is { } member ? UseOf(member) : Use.Escapes;

    private static Use UseOf(SimpleNameSyntax member) => member.Identifier.ValueText switch
    {
        "ExecuteAsync" or "TryExecuteAsync" or "Execute" or "TryExecute" or "TryEnter" or "EnterAsync" or "TryWithdraw" => Use.Asked,
        "RecordCall" => Use.Told,
        "Exit" or "Release" or "Name" or "State" or "Warnings" or "Describe" or "TakeSnapshot" => Use.Harmless,
        _ => Use.Escapes,
    };

    private static ITypeSymbol? RegisteredType(IInvocationOperation call, Known known) =>
        Registrations.TypesNamedBy(call).FirstOrDefault(t => known.IsPipeline(t) || known.IsGate(t));

    /// <summary>A factory that hands out something shared is harmless, whatever the lifetime says.</summary>
    private static bool MakesItsOwn(IInvocationOperation call, Known known)
    {
        IArgumentOperation? factory = call.Arguments.FirstOrDefault(a => a.Parameter?.Type.TypeKind == TypeKind.Delegate);
        return factory is null || (Code.LambdaOf(factory) is { } lambda && Code.OwnOperations(lambda).Any(o =>
            o is IInvocationOperation made ? known.IsBuild(made) : o is IObjectCreationOperation created && known.IsGate(created.Type)));
    }

    /// <summary>What each object of a class makes for itself, and the classes of which each user gets an object of his own.</summary>
    private sealed class PerUser
    {
        private readonly ConcurrentDictionary<ISymbol, string> _shortLived = new(SymbolEqualityComparer.Default);
        private readonly ConcurrentDictionary<ISymbol, bool> _shared = new(SymbolEqualityComparer.Default);
        private readonly ConcurrentBag<(Location At, INamedTypeSymbol In, DiagnosticDescriptor Rule, string What)> _made = [];

        internal void SeeRegistration(IInvocationOperation call)
        {
            bool isShared = Registrations.IsShared(call.TargetMethod);
            if (!isShared && !Registrations.IsShortLived(call.TargetMethod) && !Registrations.IsTypedClient(call.TargetMethod)) return;
            foreach (ITypeSymbol type in Registrations.TypesNamedBy(call).Concat(Registrations.TypesMadeBy(call)).Where(Code.IsInSource))
            {
                if (isShared) _shared.TryAdd(type.OriginalDefinition, true);
                else _shortLived.TryAdd(type.OriginalDefinition, call.TargetMethod.Name);
            }
        }

        internal void SeeMade(IOperation made, DiagnosticDescriptor rule, string what, CancellationToken cancellation)
        {
            if (made.SemanticModel is { } model && Code.InstanceMemberSetTo(Code.Outermost(made.Syntax), model, cancellation) is { ContainingType: { } type })
                _made.Add((made.Syntax.GetLocation(), type, rule, what));
        }

        internal void Report(CompilationAnalysisContext context)
        {
            foreach ((Location at, INamedTypeSymbol type, DiagnosticDescriptor rule, string what) in _made)
            {
                string? how = _shortLived.TryGetValue(type.OriginalDefinition, out string? registered) && !_shared.ContainsKey(type.OriginalDefinition)
                    ? registered
                    : Registrations.MadeForEachRequest(type);
                if (how is not null) context.ReportDiagnostic(Diagnostic.Create(rule, at, what, type.Name, how));
            }
        }
    }
}

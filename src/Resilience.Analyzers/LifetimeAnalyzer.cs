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
        Harmless,
        Escapes,
    }

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.PipelinePerCall, Rules.StatePerCall, Rules.NotShared];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (Known.From(start.Compilation) is not { IsTestProject: false } known) return;
            start.RegisterOperationAction(c => CheckInvocation(c, known), OperationKind.Invocation);
            start.RegisterOperationAction(c => CheckCreation(c, known), OperationKind.ObjectCreation);
        });
    }

    private static void CheckInvocation(OperationAnalysisContext context, Known known)
    {
        IInvocationOperation call = (IInvocationOperation)context.Operation;
        if (known.IsBuild(call))
        {
            if (IsAskedOnce(call, context))
                context.ReportDiagnostic(Diagnostic.Create(Rules.PipelinePerCall, call.Syntax.GetLocation()));
        }
        else if (IsShortLivedRegistration(call.TargetMethod) && RegisteredType(call, known) is { } type && MakesItsOwn(call, known))
        {
            Location place = (call.Syntax as InvocationExpressionSyntax)?.Expression is MemberAccessExpressionSyntax access
                ? access.Name.Identifier.GetLocation()
                : call.Syntax.GetLocation();
            context.ReportDiagnostic(Diagnostic.Create(Rules.NotShared, place, call.TargetMethod.Name, type.Name));
        }
    }

    private static void CheckCreation(OperationAnalysisContext context, Known known)
    {
        IObjectCreationOperation made = (IObjectCreationOperation)context.Operation;
        if (known.IsGate(made.Type) && IsAskedOnce(made, context))
            context.ReportDiagnostic(Diagnostic.Create(Rules.StatePerCall, made.Syntax.GetLocation(), made.Type!.Name));
    }

    /// <summary>What was made here is asked exactly once, in code that runs often, and nothing else ever gets hold of it.</summary>
    private static bool IsAskedOnce(IOperation made, OperationAnalysisContext context)
    {
        SyntaxNode whole = Code.Outermost(made.Syntax);
        if (whole.Parent is ArrowExpressionClauseSyntax { Parent: PropertyDeclarationSyntax }) return true; // made anew whenever the property is read
        SyntaxNode? function = Code.FunctionOf(whole);
        if (function is null || !(Code.RunsOften(function) || Code.IsInLoop(whole, function))) return false;
        if (Code.MemberReadFrom(whole) is { } member) return UseOf(member) == Use.Asked;
        if (whole.Parent is not EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax declarator } || made.SemanticModel is not { } model) return false;
        if (model.GetDeclaredSymbol(declarator, context.CancellationToken) is not ILocalSymbol local) return false;

        SyntaxNode scope = declarator.Ancestors().FirstOrDefault(a => a is BlockSyntax or SwitchSectionSyntax) ?? function;
        IdentifierNameSyntax[] uses = [.. Code.UsesOf(local, scope, model, context.CancellationToken)];
        IdentifierNameSyntax[] asked = [.. uses.Where(u => Code.MemberReadFrom(u) is { } m && UseOf(m) == Use.Asked)];
        return asked.Length == 1
            && !Code.IsInLoop(asked[0], scope)
            && Code.FunctionOf(asked[0]) == function
            && uses.All(u => Code.MemberReadFrom(u) is { } m && UseOf(m) != Use.Escapes);
    }

    private static Use UseOf(SimpleNameSyntax member) => member.Identifier.ValueText switch
    {
        "ExecuteAsync" or "TryExecuteAsync" or "TryEnter" or "EnterAsync" or "TryWithdraw" => Use.Asked,
        "Exit" or "Release" or "RecordCall" or "Name" or "State" or "Warnings" or "Describe" or "TakeSnapshot" => Use.Harmless,
        _ => Use.Escapes,
    };

    private static bool IsShortLivedRegistration(IMethodSymbol method) =>
        method.Name is "AddTransient" or "AddScoped" or "AddKeyedTransient" or "AddKeyedScoped"
            or "TryAddTransient" or "TryAddScoped" or "TryAddKeyedTransient" or "TryAddKeyedScoped"
        && method.ContainingNamespace.ToDisplayString().StartsWith("Microsoft.Extensions.DependencyInjection", StringComparison.Ordinal);

    private static ITypeSymbol? RegisteredType(IInvocationOperation call, Known known) =>
        call.TargetMethod.TypeArguments
            .Concat(call.Arguments.Select(a => Code.Bare(a.Value)).OfType<ITypeOfOperation>().Select(t => t.TypeOperand))
            .FirstOrDefault(t => known.IsPipeline(t) || known.IsGate(t));

    /// <summary>A factory that hands out something shared is harmless, whatever the lifetime says.</summary>
    private static bool MakesItsOwn(IInvocationOperation call, Known known)
    {
        IArgumentOperation? factory = call.Arguments.FirstOrDefault(a => a.Parameter?.Type.TypeKind == TypeKind.Delegate);
        return factory is null || (Code.LambdaOf(factory) is { } lambda && Code.OwnOperations(lambda).Any(o =>
            o is IInvocationOperation made ? known.IsBuild(made) : o is IObjectCreationOperation created && known.IsGate(created.Type)));
    }
}

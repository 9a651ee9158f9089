using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Analyzers;

/// <summary>Follows the task of a call through one method, to where it is waited for or lost.</summary>
/// <remarks>Through <c>AsTask</c> and its like, <c>Task.WhenAll</c>, <c>Task.Run</c>, collections, conditions and locals. What leaves the method is
/// unknown, and so is a task that is asked whether it is complete.</remarks>
internal sealed class TaskFlow(SemanticModel model, CancellationToken cancellation)
{
    private const int MaxDepth = 8; // of locals that hold locals

    private int _depth;

    /// <summary>What becomes of a task.</summary>
    internal enum Fate
    {
        Unknown,
        Awaited,
        Blocked,
        Dropped,
        Discarded,
    }

    /// <summary>The fate, and where: the name of the member that blocks, or the await.</summary>
    internal (Fate Fate, SyntaxNode? At) Of(SyntaxNode call)
    {
        SyntaxNode task = Whole(call);
        if (Code.MemberReadFrom(task) is { } member) return OfMember(member);
        return task.Parent switch
        {
            AwaitExpressionSyntax await => OfAwait(await),
            ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax taker } => OfArgument(taker),
            LambdaExpressionSyntax lambda => OfLambda(lambda),
            ReturnStatementSyntax when Code.FunctionOf(task) is AnonymousFunctionExpressionSyntax lambda && IsStarted(lambda, out var run) => Of(run!),
            EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax declarator }
                when model.GetDeclaredSymbol(declarator, cancellation) is ILocalSymbol local => OfLocal(local, declarator),
            AssignmentExpressionSyntax { RawKind: (int)SyntaxKind.SimpleAssignmentExpression } set when set.Right == task => OfAssignment(set),
            ExpressionStatementSyntax => (Fate.Dropped, null),
            ArrowExpressionClauseSyntax { Parent: { } owner } when model.GetDeclaredSymbol(owner, cancellation) is IMethodSymbol { ReturnsVoid: true } =>
                (Fate.Dropped, null),
            _ => default,
        };
    }

    /// <summary>AsTask(), Preserve(), ConfigureAwait(false) and GetAwaiter() still stand for the same call.</summary>
    internal static bool IsSameTask(string method) => method is "AsTask" or "Preserve" or "ConfigureAwait" or "GetAwaiter" or "WaitAsync" or "Unwrap";

    /// <summary>The largest expression whose value is the task, or holds it: in parentheses, a branch of a condition, an element of a collection.</summary>
    private static SyntaxNode Whole(SyntaxNode task)
    {
        while (true)
        {
            SyntaxNode outer = Code.Outermost(task);
            SyntaxNode? holder = outer.Parent switch
            {
                CastExpressionSyntax cast => cast,
                ConditionalExpressionSyntax condition when condition.Condition != outer => condition,
                SwitchExpressionArmSyntax { Parent: { } arms } arm when arm.Expression == outer => arms,
                ExpressionElementSyntax { Parent: { } collection } => collection,
                InitializerExpressionSyntax { Parent: ArrayCreationExpressionSyntax or ImplicitArrayCreationExpressionSyntax } elements => elements.Parent,
                _ => null,
            };
            if (holder is null) return outer;
            task = holder;
        }
    }

    private (Fate, SyntaxNode?) OfMember(SimpleNameSyntax member)
    {
        string name = member.Identifier.ValueText;
        if (name is "Result" or "Wait" or "GetResult") return (Fate.Blocked, member);
        return IsSameTask(name) && member.Parent?.Parent is InvocationExpressionSyntax again ? Of(again) : default;
    }

    /// <summary>What is awaited in a delegate that is started elsewhere may still be blocked on there.</summary>
    private (Fate, SyntaxNode?) OfAwait(AwaitExpressionSyntax await) =>
        Code.FunctionOf(await) is AnonymousFunctionExpressionSyntax lambda && IsStarted(lambda, out var run)
            && Of(run!) is { Fate: Fate.Blocked } blocked ? blocked : (Fate.Awaited, await);

    private (Fate, SyntaxNode?) OfArgument(InvocationExpressionSyntax taker)
    {
        if (model.GetSymbolInfo(taker, cancellation).Symbol is not IMethodSymbol { IsStatic: true } method || !IsTask(method.ContainingType)) return default;
        return method.Name switch
        {
            "WaitAll" or "WaitAny" => (Fate.Blocked, taker.Expression is MemberAccessExpressionSyntax access ? access.Name : taker.Expression),
            "WhenAll" or "WhenAny" => Of(taker),
            _ => default,
        };
    }

    private (Fate, SyntaxNode?) OfLambda(LambdaExpressionSyntax lambda)
    {
        if (IsStarted(lambda, out InvocationExpressionSyntax? run)) return Of(run!);
        return model.GetSymbolInfo(lambda, cancellation).Symbol is IMethodSymbol { ReturnsVoid: true } ? (Fate.Dropped, null) : default;
    }

    /// <summary>Handed to <c>Task.Run</c> or <c>StartNew</c>, whose task stands for what the delegate returns.</summary>
    private bool IsStarted(AnonymousFunctionExpressionSyntax lambda, out InvocationExpressionSyntax? run)
    {
        run = (lambda.Parent as ArgumentSyntax)?.Parent?.Parent as InvocationExpressionSyntax;
        return run is not null && model.GetSymbolInfo(run, cancellation).Symbol is IMethodSymbol { Name: "Run" or "StartNew" } method
            && (IsTask(method.ContainingType) || method.ContainingType.Name == "TaskFactory");
    }

    private static bool IsTask(INamedTypeSymbol type) => type.Name == "Task" && type.ContainingNamespace?.ToDisplayString() == "System.Threading.Tasks";

    private (Fate, SyntaxNode?) OfAssignment(AssignmentExpressionSyntax set)
    {
        if (model.GetSymbolInfo(set.Left, cancellation).Symbol is IDiscardSymbol) return (Fate.Discarded, null);
        bool isStatement = set.Parent is ExpressionStatementSyntax;
        return isStatement && model.GetSymbolInfo(set.Left, cancellation).Symbol is ILocalSymbol local ? OfLocal(local, set) : default;
    }

    /// <summary>That of the first use that decides it. A use after an await has nothing left to wait for.</summary>
    private (Fate, SyntaxNode?) OfLocal(ILocalSymbol local, SyntaxNode from)
    {
        if (_depth == MaxDepth || Code.FunctionOf(from) is not { } function) return default;
        _depth++;
        IdentifierNameSyntax[] uses = [.. Code.UsesOf(local, function, model, cancellation).Where(u => !from.Span.Contains(u.Span))];
        if (uses.Any(u => Code.IsWritten(u) || Code.FunctionOf(u) != function)) return default;
        if (uses.Length == 0) return (Fate.Discarded, null);
        List<SyntaxNode> awaitedIn = [];
        foreach (IdentifierNameSyntax use in uses.Where(u => u.SpanStart > from.SpanStart))
        {
            (Fate fate, SyntaxNode? at) = Of(use);
            if (fate == Fate.Awaited) awaitedIn.Add(BlockOf(use));
            else if (fate == Fate.Unknown) return default;
            else if (!awaitedIn.Any(b => b.Span.Contains(use.Span))) return (fate, at);
        }

        return (Fate.Awaited, null);
    }

    private static SyntaxNode BlockOf(SyntaxNode node) =>
        node.Ancestors().First(static a => a is BlockSyntax or SwitchSectionSyntax or CompilationUnitSyntax || Code.IsFunction(a));
}

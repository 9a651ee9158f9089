using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>What goes wrong between a pipeline and an HttpClient: a timeout of the client that comes first, and repeated operations. RES104 and
/// RES105.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class HttpAnalyzer : DiagnosticAnalyzer
{
    private const double DefaultTotal = 30; // StandardResilienceOptions.TotalTimeout, in seconds
    private const double DefaultClientTimeout = 100; // HttpClient.Timeout: not set by the user, and AddStandardResilience lifts it

    /// <summary>Signs that the author has thought of it.</summary>
    private static readonly string[] Thoughts = ["Idempotency-Key", "IdempotencyKey", "ShouldRetry", "AddIdempotency", "RetryRule"];

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.ClientTimeoutTooShort, Rules.RetriedWithoutKey];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (Known.From(start.Compilation) is { HttpClient: not null } known)
                start.RegisterOperationAction(c => Check(c, known), OperationKind.Invocation);
        });
    }

    private static void Check(OperationAnalysisContext context, Known known)
    {
        IInvocationOperation call = (IInvocationOperation)context.Operation;
        if (call.TargetMethod.Name is "AddStandardResilience" or "AddResilience") CheckTimeouts(context, known, call);
        else if (known.IsExecution(call)) CheckMethods(context, known, call);
    }

    private static void CheckTimeouts(OperationAnalysisContext context, Known known, IInvocationOperation added)
    {
        if (TotalOf(added, known) is not { } total) return;
        IAssignmentOperation[] timeouts = [.. ChainAround(added, context.CancellationToken).SelectMany(c => Assignments(c, "Timeout", known.HttpClient))];
        if (timeouts.Length != 1 || Code.Seconds(timeouts[0].Value, known) is not { } seconds) return;
        if (seconds > 0 && seconds <= total && seconds != DefaultClientTimeout)
            context.ReportDiagnostic(Diagnostic.Create(Rules.ClientTimeoutTooShort, timeouts[0].Syntax.GetLocation(), seconds, total));
    }

    /// <summary>The total timeout in seconds, if it can be read from the code.</summary>
    private static double? TotalOf(IInvocationOperation added, Known known)
    {
        IArgumentOperation[] said = [.. added.Arguments.Where(a => a.ArgumentKind == ArgumentKind.Explicit && a.Parameter?.Ordinal != 0)];
        if (added.TargetMethod.Name == "AddResilience")
            return said.Length > 0 && Code.LambdaOf(said[0]) is { } lambda ? OutermostTimeout(lambda, known) : null;

        IAssignmentOperation[] totals = [.. Assignments(added, "TotalTimeout", null)];
        if (totals.Length == 1) return Code.Seconds(totals[0].Value, known);
        bool isAllSeen = said.All(a => Code.LambdaOf(a) is { } l && l.Symbol.Parameters.Length == 1); // no section, no method group, no provider
        return totals.Length == 0 && isAllSeen ? DefaultTotal : null;
    }

    /// <summary>The first policy that is added to the lambda's parameter, if it is a timeout.</summary>
    private static double? OutermostTimeout(IAnonymousFunctionOperation lambda, Known known)
    {
        IInvocationOperation[] first = [.. Code.OwnOperations(lambda).OfType<IInvocationOperation>()
            .Where(i => i.TargetMethod.IsExtensionMethod && i.Arguments.Length > 0 && Code.Bare(i.Arguments[0].Value) is IParameterReferenceOperation)];
        return first.Length == 1 && first[0] is { TargetMethod.Name: "AddTimeout", Arguments.Length: 2 } timeout
            ? Code.Seconds(timeout.Arguments[1].Value, known)
            : null;
    }

    private static IEnumerable<IAssignmentOperation> Assignments(IInvocationOperation call, string property, INamedTypeSymbol? of) => call.Arguments
        .Select(Code.LambdaOf).Where(l => l is not null).SelectMany(l => Code.OwnOperations(l!)).OfType<IAssignmentOperation>()
        .Where(a => a.Target is IPropertyReferenceOperation target && target.Property.Name == property
            && (of is null || Known.Is(target.Property.ContainingType, of)));

    /// <summary>The calls before and after in one fluent chain.</summary>
    private static IEnumerable<IInvocationOperation> ChainAround(IInvocationOperation call, CancellationToken cancellation)
    {
        SyntaxNode end = call.Syntax;
        while (Code.MemberReadFrom(end) is { Parent.Parent: InvocationExpressionSyntax next }) end = next;
        while (end is InvocationExpressionSyntax invocation)
        {
            if (call.SemanticModel?.GetOperation(invocation, cancellation) is IInvocationOperation one) yield return one;
            if (invocation.Expression is not MemberAccessExpressionSyntax access) yield break;
            end = access.Expression;
        }
    }

    private static void CheckMethods(OperationAnalysisContext context, Known known, IInvocationOperation execution)
    {
        if (execution.Arguments.Select(Code.LambdaOf).FirstOrDefault(l => l is not null) is not { } lambda) return;
        IInvocationOperation[] operations = [.. Code.OwnOperations(lambda).OfType<IInvocationOperation>().Where(i => MethodOf(i, known) is not null)];
        if (operations.Length == 0 || Making.Of(execution, context.CancellationToken) is not { Repeats: true } pipeline || IsThoughtOf(pipeline.Text)) return;

        SyntaxNode? type = execution.Syntax.Ancestors().FirstOrDefault(a => a is TypeDeclarationSyntax or CompilationUnitSyntax);
        string around = type?.ToString() ?? "";
        if (IsThoughtOf(around)) return;
        foreach (IInvocationOperation operation in operations)
            context.ReportDiagnostic(Diagnostic.Create(Rules.RetriedWithoutKey, operation.Syntax.GetLocation(), MethodOf(operation, known), pipeline.Name));
    }

    private static bool IsThoughtOf(string code) => Thoughts.Any(t => code.IndexOf(t, StringComparison.Ordinal) >= 0);

    /// <summary>What is sent, if it is sent through an HttpClient and repeating it may do harm.</summary>
    private static string? MethodOf(IInvocationOperation call, Known known)
    {
        IOperation? client = call.Instance ?? (call.TargetMethod.IsExtensionMethod && call.Arguments.Length > 0 ? Code.Bare(call.Arguments[0].Value) : null);
        if (!Known.Is(client?.Type, known.HttpClient)) return null;
        return call.TargetMethod.Name switch
        {
            "PostAsync" or "PostAsJsonAsync" => "POST",
            "PatchAsync" or "PatchAsJsonAsync" => "PATCH",
            "SendAsync" when call.Arguments.Length > 0 && Code.Bare(call.Arguments[0].Value) is IObjectCreationOperation { Arguments.Length: > 0 } request =>
                Code.Bare(request.Arguments[0].Value) is IPropertyReferenceOperation { Property: { IsStatic: true, Name: "Post" or "Patch" } method }
                    ? method.Name.ToUpperInvariant()
                    : null,
            _ => null,
        };
    }
}

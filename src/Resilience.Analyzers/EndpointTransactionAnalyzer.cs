using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>Finds endpoints that begin or end the transaction that is begun and committed for them (<c>InTransactionOf</c>). RES117.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class EndpointTransactionAnalyzer : DiagnosticAnalyzer
{
    private const string Claim = "Resilience.Idempotency.IdempotencyClaim", Options = "Resilience.Idempotency.IdempotencyEndpointOptions";

    private static readonly ImmutableHashSet<string> OfFacade =
    [
        "BeginTransaction", "BeginTransactionAsync", "UseTransaction", "UseTransactionAsync", "CommitTransaction", "CommitTransactionAsync",
        "RollbackTransaction", "RollbackTransactionAsync",
    ];

    private static readonly ImmutableHashSet<string> OfTransaction = ["Commit", "CommitAsync", "Rollback", "RollbackAsync", "Dispose", "DisposeAsync"];

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.TransactionTaken];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (Known.From(start.Compilation) is { } known && start.Compilation.GetTypeByMetadataName(Options) is not null)
                start.RegisterOperationAction(c => Check(c, known), OperationKind.Invocation);
        });
    }

    private static void Check(OperationAnalysisContext context, Known known)
    {
        IInvocationOperation required = (IInvocationOperation)context.Operation;
        if (required.TargetMethod.Name != "RequireIdempotencyKey" || ContextOf(required) is not { } type) return;
        if (EndpointOf(required, known, context.CancellationToken) is not { } endpoint) return;
        foreach (IInvocationOperation call in endpoint.Body.Descendants().OfType<IInvocationOperation>())
        {
            if (Takes(call, type, context.CancellationToken))
                context.ReportDiagnostic(Diagnostic.Create(Rules.TransactionTaken, Code.NameOf(call), call.TargetMethod.Name, type.Name));
        }
    }

    /// <summary>The context in whose transaction the endpoint runs, if its options say so where they are given.</summary>
    private static ITypeSymbol? ContextOf(IInvocationOperation required) => required.Descendants().OfType<IInvocationOperation>()
        .FirstOrDefault(static c => c.TargetMethod is { Name: "InTransactionOf", TypeArguments.Length: 1 }
            && c.TargetMethod.ContainingType.ToDisplayString() == Options)?.TargetMethod.TypeArguments[0];

    /// <summary>What the call is made on, and what that was made on, until one is given a delegate.</summary>
    private static DelegateCode? EndpointOf(IInvocationOperation required, Known known, CancellationToken cancellation)
    {
        IOperation? at = ReceiverOf(required);
        while (Code.Resolve(at, cancellation) is IInvocationOperation call)
        {
            if (call.TargetMethod.Name.StartsWith("Map", StringComparison.Ordinal)) return DelegateCode.Of(call, known, cancellation);
            at = ReceiverOf(call);
        }

        return null;
    }

    private static IOperation? ReceiverOf(IInvocationOperation call) =>
        call.Instance ?? (call.TargetMethod.IsExtensionMethod && call.Arguments.Length > 0 ? call.Arguments[0].Value : null);

    private static bool Takes(IInvocationOperation call, ITypeSymbol type, CancellationToken cancellation)
    {
        bool isOfFacade = OfFacade.Contains(call.TargetMethod.Name);
        if (!isOfFacade && !OfTransaction.Contains(call.TargetMethod.Name)) return false;
        if (Code.Resolve(ReceiverOf(call), cancellation) is not IPropertyReferenceOperation property) return false;
        if (isOfFacade) return IsDatabaseOf(property, type);
        return property.Property.Name switch
        {
            "Transaction" => property.Property.ContainingType.ToDisplayString() == Claim,
            "CurrentTransaction" => Code.Resolve(property.Instance, cancellation) is IPropertyReferenceOperation database && IsDatabaseOf(database, type),
            _ => false,
        };
    }

    private static bool IsDatabaseOf(IPropertyReferenceOperation property, ITypeSymbol type) =>
        property is { Property.Name: "Database", Instance.Type: { } owner } && SymbolEqualityComparer.Default.Equals(owner, type);
}

using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>Finds retries around statements of a transaction that was begun outside of them. RES114.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class TransactionAnalyzer : DiagnosticAnalyzer
{
    private static readonly string[] Transactions = ["System.Data.Common.DbTransaction", "System.Transactions.TransactionScope"];

    private static readonly string[] TransactionInterfaces = ["System.Data.IDbTransaction", "Microsoft.EntityFrameworkCore.Storage.IDbContextTransaction"];

    private static readonly string[] Databases =
    [
        "System.Data.Common.DbCommand", "System.Data.Common.DbBatch", "Microsoft.EntityFrameworkCore.DbContext",
        "Microsoft.EntityFrameworkCore.Infrastructure.DatabaseFacade",
    ];

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.RetriedInTransaction];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (Known.From(start.Compilation) is { } known)
                start.RegisterOperationAction(c => Check(c, known), OperationKind.Invocation);
        });
    }

    private static void Check(OperationAnalysisContext context, Known known)
    {
        IInvocationOperation execution = (IInvocationOperation)context.Operation;
        if (!known.IsExecution(execution) || Making.Of(execution, context.CancellationToken) is not { Repeats: true } pipeline) return;
        if (DelegateCode.Of(execution, known, context.CancellationToken) is not { } code || execution.SemanticModel is not { } model) return;
        if (OpenAround(execution, model, context.CancellationToken) is not { } transaction) return;
        IInvocationOperation? statement = code.Operations.OfType<IInvocationOperation>().FirstOrDefault(c => IsStatement(c) || IsHanded(c, transaction));
        if (statement is null) return;
        Location at = code.IsLambda ? Code.NameOf(statement) : code.Argument.GetLocation();
        context.ReportDiagnostic(Diagnostic.Create(Rules.RetriedInTransaction, at, statement.TargetMethod.Name, pipeline.Name));
    }

    /// <summary>The transaction that stands open around the call, in the same method.</summary>
    private static ISymbol? OpenAround(IInvocationOperation execution, SemanticModel model, CancellationToken cancellation)
    {
        SyntaxNode call = execution.Syntax;
        for (SyntaxNode at = call; at.Parent is { } outer && !IsMember(at); at = outer)
        {
            IEnumerable<VariableDeclaratorSyntax> declared = outer switch
            {
                UsingStatementSyntax { Declaration: { } declaration } => declaration.Variables,
                BlockSyntax block => block.Statements.TakeWhile(s => s != at)
                    .OfType<LocalDeclarationStatementSyntax>().SelectMany(static d => d.Declaration.Variables),
                CompilationUnitSyntax unit => unit.Members.TakeWhile(m => m != at).OfType<GlobalStatementSyntax>()
                    .Select(static g => g.Statement).OfType<LocalDeclarationStatementSyntax>().SelectMany(static d => d.Declaration.Variables),
                _ => [],
            };
            foreach (VariableDeclaratorSyntax variable in declared)
            {
                if (model.GetDeclaredSymbol(variable, cancellation) is ILocalSymbol local && IsTransaction(local.Type)
                    && !IsEndedBefore(call, variable, local, model, cancellation))
                    return local;
            }
        }

        return null;
    }

    private static bool IsMember(SyntaxNode node) => node is MemberDeclarationSyntax and not GlobalStatementSyntax;

    private static bool IsTransaction(ITypeSymbol type) => Transactions.Any(t => Code.Derives(type, t))
        || type.AllInterfaces.Concat([type]).Any(static i => TransactionInterfaces.Contains(i.OriginalDefinition.ToDisplayString()));

    private static bool IsEndedBefore(SyntaxNode call, SyntaxNode from, ILocalSymbol local, SemanticModel model, CancellationToken cancellation)
    {
        SyntaxNode scope = from.Ancestors().First(static a => a is BlockSyntax or UsingStatementSyntax or CompilationUnitSyntax);
        return Code.UsesOf(local, scope, model, cancellation).Any(u => u.SpanStart < call.SpanStart
            && Code.MemberReadFrom(u)?.Identifier.ValueText is "Commit" or "CommitAsync" or "Rollback" or "RollbackAsync" or "Complete"
                or "Dispose" or "DisposeAsync");
    }

    private static bool IsStatement(IInvocationOperation call)
    {
        string name = call.TargetMethod.Name;
        bool isNamed = name.StartsWith("Execute", StringComparison.Ordinal) || name.StartsWith("SaveChanges", StringComparison.Ordinal);
        bool isExtension = call.TargetMethod.IsExtensionMethod && call.Arguments.Length > 0;
        ITypeSymbol? of = call.Instance?.Type ?? (isExtension ? Code.Bare(call.Arguments[0].Value).Type : null);
        return isNamed && (Databases.Any(d => Code.Derives(of, d)) || of?.OriginalDefinition.ToDisplayString() == "System.Data.IDbCommand");
    }

    /// <summary>The transaction is one of its arguments, as in Dapper.</summary>
    private static bool IsHanded(IInvocationOperation call, ISymbol transaction) => call.Arguments.Any(a =>
        Code.Bare(a.Value) is ILocalReferenceOperation local && SymbolEqualityComparer.Default.Equals(local.Local, transaction));
}

using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>Finds pipelines that cannot read the errors of what they run: a database without its table, answers of HTTP without a rule, gRPC under the
/// handler for HTTP. RES112 and RES115.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class TransportAnalyzer : DiagnosticAnalyzer
{
    /// <summary>Drivers that never say whether an error is transient, and what says it for them: the word of the table, its data, and the
    /// exception for which the user may have a rule.</summary>
    private static readonly (string Namespace, string Cure, string[] Words)[] Drivers =
    [
        ("Microsoft.Data.SqlClient", "add rules.SqlServer() to Classify", ["SqlServer", "SqlServerErrors", "SqlException"]),
        ("System.Data.SqlClient", "add a rule with SqlServerErrors to Classify", ["SqlServer", "SqlServerErrors", "SqlException"]),
        ("Microsoft.Data.Sqlite", "add rules.Sqlite() to Classify", ["Sqlite", "SqliteErrors", "SqliteException"]),
        ("Oracle.ManagedDataAccess.Client", "add a rule with OracleErrors to Classify", ["Oracle", "OracleErrors", "OracleException"]),
    ];

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.ErrorsUnread, Rules.HttpOverGrpc];

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
        IInvocationOperation call = (IInvocationOperation)context.Operation;
        if (call.TargetMethod.Name is "AddStandardResilience" or "AddResilience") CheckClient(context, call);
        else if (known.IsExecution(call) && Making.Of(call, context.CancellationToken) is { IsAsked: true } pipeline)
            CheckErrors(context, known, call, pipeline);
    }

    private static void CheckErrors(OperationAnalysisContext context, Known known, IInvocationOperation execution, Making pipeline)
    {
        if (DelegateCode.Of(execution, known, context.CancellationToken) is not { } code || pipeline.Names("Classifier")) return;
        foreach (IInvocationOperation command in code.Operations.OfType<IInvocationOperation>())
        {
            if (DriverOf(command) is not { } driver || driver.Words.Append("DbException").Any(pipeline.Names)) continue;
            Location at = code.IsLambda ? Code.NameOf(command) : code.Argument.GetLocation();
            Report(at, $"The error numbers of {driver.Namespace} mean nothing to '{pipeline.Name}'", driver.Cure);
            return;
        }

        bool isAnswer = known.ResultOf(execution) is { } result && Code.Derives(result, "System.Net.Http.HttpResponseMessage") && !pipeline.Judges(result);
        if (isAnswer && !code.Operations.Any(static o => o is IThrowOperation or IInvocationOperation { TargetMethod.Name: "EnsureSuccessStatusCode" }))
            Report(Code.NameOf(execution), $"To '{pipeline.Name}' a response of any status is a success",
                "add rules.Http() to Classify, or a rule for results");

        void Report(Location at, string fault, string cure) => context.ReportDiagnostic(Diagnostic.Create(Rules.ErrorsUnread, at, fault, cure));
    }

    private static (string Namespace, string Cure, string[] Words)? DriverOf(IInvocationOperation command)
    {
        bool isSent = command.TargetMethod.Name.StartsWith("Execute", StringComparison.Ordinal) || command.TargetMethod.Name is "Open" or "OpenAsync";
        if (!isSent || command.Instance?.Type is not { } type) return null;
        if (!Code.Derives(type, "System.Data.Common.DbCommand") && !Code.Derives(type, "System.Data.Common.DbConnection")) return null;
        for (ITypeSymbol? at = type; at is not null; at = at.BaseType)
        {
            string space = at.ContainingNamespace?.ToDisplayString() ?? "";
            if (Drivers.FirstOrDefault(d => d.Namespace == space) is { Namespace: not null } driver) return driver;
        }

        return null;
    }

    private static void CheckClient(OperationAnalysisContext context, IInvocationOperation added)
    {
        IOperation? at = added;
        while (at is IInvocationOperation { TargetMethod.IsExtensionMethod: true, Arguments.Length: > 0 } one)
        {
            if (one.TargetMethod.Name.StartsWith("Add", StringComparison.Ordinal) && one.TargetMethod.Name.EndsWith("GrpcClient", StringComparison.Ordinal))
            {
                context.ReportDiagnostic(Diagnostic.Create(Rules.HttpOverGrpc, Code.NameOf(added), added.TargetMethod.Name));
                return;
            }

            at = Code.Resolve(one.Arguments[0].Value, context.CancellationToken);
        }
    }
}

using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>A client that retries or makes keys, below an SDK whose own retries are left on. RES111.</summary>
/// <remarks>The client and the SDK meet in different places of a program: what is registered and what is handed over is collected, and compared at the end
/// of the compilation. Where one of the two cannot be read from the code, nothing is said.</remarks>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class SdkAnalyzer : DiagnosticAnalyzer
{
    private const int MaxDepth = 8; // of locals that are made of locals

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.BelowRetriesOfSdk];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (Known.From(start.Compilation) is not { HttpClient: not null } known || Sdk.KnownTo(start.Compilation) is not { Length: > 0 } sdks) return;
            Collected collected = new(start.Compilation, known, sdks);
            start.RegisterOperationAction(collected.SeeCall, OperationKind.Invocation);
            start.RegisterOperationAction(collected.SeeCreation, OperationKind.ObjectCreation);
            start.RegisterCompilationEndAction(collected.Report);
        });
    }

    /// <summary>What a client of ours does that must not stand below another retry.</summary>
    [Flags]
    private enum Does
    {
        Nothing = 0,
        MakesKeys = 1,
        Retries = 2,
    }

    private sealed class Collected(Compilation compilation, Known known, Sdk[] sdks)
    {
        private readonly INamedTypeSymbol? _factory = compilation.GetTypeByMetadataName("System.Net.Http.IHttpClientFactory");
        private readonly INamedTypeSymbol? _keyHandler = compilation.GetTypeByMetadataName("Resilience.Http.IdempotencyKeyHandler");
        private readonly ConcurrentDictionary<string, Does> _registered = new(StringComparer.Ordinal);
        private readonly ConcurrentDictionary<string, string> _clientsOfCarriers = new(StringComparer.Ordinal);
        private readonly ConcurrentBag<(Location At, Sdk Sdk, string Client)> _handedOver = [];

        internal void SeeCall(OperationAnalysisContext context)
        {
            IInvocationOperation call = (IInvocationOperation)context.Operation;
            Does does = DoneBy(call);
            if (does != Does.Nothing)
            {
                foreach (string client in ClientsRegisteredBy(call, context.CancellationToken))
                    _registered.AddOrUpdate(client, does, (_, before) => before | does);
            }
            else if (ClientOf(call) is { } name && context.ContainingSymbol?.ContainingType is { } type && sdks.Any(s => s.IsCarrier(type)))
            {
                // A factory of an SDK, of a class of the user's: which client it takes.
                _clientsOfCarriers.AddOrUpdate(NameOf(type), name, (_, before) => before == name ? name : "");
            }
        }

        internal void SeeCreation(OperationAnalysisContext context)
        {
            IObjectCreationOperation created = (IObjectCreationOperation)context.Operation;
            if (sdks.FirstOrDefault(s => s.IsOptions(created.Type)) is not { } sdk
                || Code.IsInSource(created.Type) // its constructor may set anything
                || SdkOptions.Of(created, context.CancellationToken) is not { } options
                || options[sdk.Transport] is not { } transport
                || !sdk.Retries.All(r => options[r] is not { } set || Sdk.LeavesOn(set) == true)
                || Code.Resolve(transport, context.CancellationToken) is not IObjectCreationOperation carrier
                || !sdk.IsCarrier(carrier.Type)) return;
            if (IsMadeWithKeys(carrier, context.CancellationToken)) Tell(context.ReportDiagnostic, carrier.Syntax.GetLocation(), sdk, Does.MakesKeys);
            else if (ClientIn(carrier, context.CancellationToken) is { } client) _handedOver.Add((carrier.Syntax.GetLocation(), sdk, client));
        }

        internal void Report(CompilationAnalysisContext context)
        {
            foreach ((Location at, Sdk sdk, string client) in _handedOver)
            {
                string real = _clientsOfCarriers.TryGetValue(client, out string? taken) ? taken : client;
                if (_registered.TryGetValue(real, out Does does)) Tell(context.ReportDiagnostic, at, sdk, does);
            }
        }

        private static void Tell(Action<Diagnostic> report, Location at, Sdk sdk, Does does)
        {
            string harm = (does & Does.MakesKeys) != 0 ? "each of its attempts gets a key of its own" : "both retries multiply";
            report(Diagnostic.Create(Rules.BelowRetriesOfSdk, at, sdk.Name, harm, sdk.Cure));
        }

        private static string NameOf(ITypeSymbol type) => "type " + type.ToDisplayString();

        /// <summary>What a call adds to a client, if that can be read.</summary>
        private static Does DoneBy(IInvocationOperation call)
        {
            if (!call.TargetMethod.IsExtensionMethod || call.TargetMethod.ContainingAssembly?.Name.StartsWith("Resilience", StringComparison.Ordinal) != true)
                return Does.Nothing;
            IArgumentOperation[] said = [.. call.Arguments.Where(static a => a.ArgumentKind == ArgumentKind.Explicit && a.Parameter?.Ordinal != 0)];
            IAnonymousFunctionOperation?[] lambdas = [.. said.Select(Code.LambdaOf)];
            return call.TargetMethod.Name switch
            {
                "AddIdempotencyKey" => Does.MakesKeys,
                "AddStandardResilience" when lambdas.All(static l => l is not null && LeavesRetry(l)) => Does.Retries,
                "AddResilience" when lambdas.Any(static l => l is not null && AddsRetry(l)) => Does.Retries,
                _ => Does.Nothing,
            };
        }

        /// <summary>Whether the retry of the standard options stays as it is by default: they are only written to, and not there.</summary>
        private static bool LeavesRetry(IAnonymousFunctionOperation lambda) => lambda.Body.Descendants().OfType<IParameterReferenceOperation>()
            .Where(p => SymbolEqualityComparer.Default.Equals(p.Parameter.ContainingSymbol, lambda.Symbol))
            .All(static p => p.Parent is IPropertyReferenceOperation { Property.Name: not "Retry" });

        private static bool AddsRetry(IAnonymousFunctionOperation lambda) =>
            lambda.Body.Descendants().Any(static o => o is IInvocationOperation { TargetMethod.Name: "AddRetry" });

        /// <summary>From the call back along its chain to the registration of the client.</summary>
        private static IEnumerable<string> ClientsRegisteredBy(IInvocationOperation call, CancellationToken cancellation)
        {
            IOperation? at = call;
            while (at is IInvocationOperation { TargetMethod.IsExtensionMethod: true, Arguments.Length: > 0 } one && one.TargetMethod.Name != "AddHttpClient")
                at = Code.Resolve(one.Arguments[0].Value, cancellation);
            if (at is not IInvocationOperation { TargetMethod.Name: "AddHttpClient" } added) yield break;
            if (added.Arguments.FirstOrDefault(static a => a.Parameter?.Name == "name") is { } name)
            {
                if (name.Value.ConstantValue is { HasValue: true, Value: string text }) yield return text;
            }
            else if (added.TargetMethod.TypeArguments.Length > 0)
            {
                yield return added.TargetMethod.TypeArguments[0].Name;
            }

            foreach (ITypeSymbol type in added.TargetMethod.TypeArguments) yield return NameOf(type);
        }

        /// <summary>The name of the client that a factory is asked for.</summary>
        private string? ClientOf(IInvocationOperation call)
        {
            if (call.TargetMethod.Name != "CreateClient") return null;
            IOperation? of = call.Instance ?? (call.TargetMethod.IsExtensionMethod && call.Arguments.Length > 0 ? Code.Bare(call.Arguments[0].Value) : null);
            IOperation? asked = call.Arguments.LastOrDefault()?.Value;
            return Known.Is(of?.Type, _factory) && asked?.ConstantValue is { HasValue: true, Value: string name } ? name : null;
        }

        /// <summary>What names the client that is handed over: its own name, the class that it is registered for, or the class that will take it.</summary>
        private string? ClientIn(IObjectCreationOperation carrier, CancellationToken cancellation)
        {
            if (carrier.Type is { } type && Code.IsInSource(type)) return NameOf(type);
            return carrier.Arguments.Length == 0 ? null : Code.Resolve(carrier.Arguments[0].Value, cancellation) switch
            {
                IInvocationOperation call => ClientOf(call),
                IParameterReferenceOperation { Parameter: { ContainingSymbol: IMethodSymbol { MethodKind: MethodKind.Constructor } constructor } given }
                    when Known.Is(given.Type, known.HttpClient) => NameOf(constructor.ContainingType),
                _ => null,
            };
        }

        /// <summary>A handler that makes keys, made in this very place.</summary>
        private bool IsMadeWithKeys(IOperation value, CancellationToken cancellation, int depth = 0)
        {
            return depth < MaxDepth && value.DescendantsAndSelf().Any(IsOrHolds);

            bool IsOrHolds(IOperation part) => part switch
            {
                IObjectCreationOperation made when Known.Is(made.Type, _keyHandler) => true,
                ILocalReferenceOperation local => Code.Resolve(local, cancellation) is { } held && IsMadeWithKeys(held, cancellation, depth + 1),
                _ => false,
            };
        }
    }
}

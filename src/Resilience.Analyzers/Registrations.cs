using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>What a container is told: which classes, and how long their objects live.</summary>
internal static class Registrations
{
    /// <summary>Classes of which the framework makes an object for each request or user.</summary>
    private static readonly string[] PerRequest =
    [
        "Microsoft.AspNetCore.Mvc.ControllerBase", "Microsoft.AspNetCore.Mvc.RazorPages.PageModel", "Microsoft.AspNetCore.Mvc.ViewComponent",
        "Microsoft.AspNetCore.SignalR.Hub", "Microsoft.AspNetCore.Components.ComponentBase",
    ];

    internal static bool IsShortLived(IMethodSymbol method) => IsRegistration(method) && method.Name is
        "AddTransient" or "AddScoped" or "AddKeyedTransient" or "AddKeyedScoped" or "TryAddTransient" or "TryAddScoped" or "TryAddKeyedTransient"
        or "TryAddKeyedScoped" or "Transient" or "Scoped" or "KeyedTransient" or "KeyedScoped";

    internal static bool IsShared(IMethodSymbol method) => IsRegistration(method) && method.Name is
        "AddSingleton" or "AddKeyedSingleton" or "TryAddSingleton" or "TryAddKeyedSingleton" or "Singleton" or "KeyedSingleton" or "AddHostedService";

    /// <summary>A typed client is transient.</summary>
    internal static bool IsTypedClient(IMethodSymbol method) => IsRegistration(method) && method.Name == "AddHttpClient" && method.TypeArguments.Length > 0;

    internal static IEnumerable<ITypeSymbol> TypesNamedBy(IInvocationOperation call) => call.TargetMethod.TypeArguments
        .Concat(call.Arguments.Select(static a => Code.Bare(a.Value)).OfType<ITypeOfOperation>().Select(static t => t.TypeOperand));

    /// <summary>The classes of which a factory makes objects.</summary>
    internal static IEnumerable<ITypeSymbol> TypesMadeBy(IInvocationOperation call) => call.Arguments.Select(Code.LambdaOf).Where(static l => l is not null)
        .SelectMany(static l => Code.OwnOperations(l!)).OfType<IObjectCreationOperation>().Where(static c => Returns(c)).Select(static c => c.Type!);

    /// <summary>The base class for which the framework makes an object each time, if the type has one.</summary>
    internal static string? MadeForEachRequest(ITypeSymbol type)
    {
        for (ITypeSymbol? at = type.BaseType; at is not null; at = at.BaseType)
        {
            if (PerRequest.Contains(at.OriginalDefinition.ToDisplayString().Split('<')[0])) return at.Name;
        }

        return null;
    }

    private static bool Returns(IOperation value)
    {
        IOperation? outer = value.Parent;
        while (outer is IConversionOperation) outer = outer.Parent;
        return outer is IReturnOperation;
    }

    private static bool IsRegistration(IMethodSymbol method) =>
        method.ContainingNamespace?.ToDisplayString().StartsWith("Microsoft.Extensions.DependencyInjection", StringComparison.Ordinal) == true;
}

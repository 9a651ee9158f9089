using Microsoft.CodeAnalysis;

namespace Resilience.Analyzers;

/// <summary>Which exceptions are failures where no rule speaks: what the library says by default, by name. A test holds the two together.</summary>
internal static class DefaultFailures
{
    /// <summary>Errors of the program and of its surroundings, and what the caller did.</summary>
    internal static readonly string[] NotTheirs =
    [
        "System.ArgumentException", "System.NotSupportedException", "System.NotImplementedException", "System.NullReferenceException",
        "System.InvalidCastException", "System.IndexOutOfRangeException", "System.ObjectDisposedException", "System.FormatException",
        "System.Collections.Generic.KeyNotFoundException", "System.UnauthorizedAccessException", "System.Security.Authentication.AuthenticationException",
        "System.IO.FileNotFoundException", "System.IO.DirectoryNotFoundException", "System.IO.PathTooLongException", "System.IO.DriveNotFoundException",
        "Resilience.ResilienceException",
        "System.OperationCanceledException", // a failure where a layer below was out of time; but who catches it alone mostly means the caller
    ];

    /// <summary>An exception of the user's own, derived from nothing that says more, may be an answer: "there is no such order".</summary>
    internal static bool Is(ITypeSymbol type)
    {
        bool isOwn = Code.IsInSource(type);
        for (ITypeSymbol? at = type; at is not null; at = at.BaseType)
        {
            string name = at.ToDisplayString();
            if (NotTheirs.Contains(name)) return false;
            if (name == "System.Exception") return !isOwn;
            if (!Code.IsInSource(at) && name is not "System.SystemException" and not "System.ApplicationException") isOwn = false;
        }

        return false;
    }
}

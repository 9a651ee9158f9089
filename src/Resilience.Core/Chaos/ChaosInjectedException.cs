using System.Runtime.CompilerServices;

namespace Resilience.Chaos;

/// <summary>The default fault of a chaos policy: nothing has failed, this is a rehearsal.</summary>
/// <remarks>Classified like any other exception, by default as <see cref="Verdict.Failure"/>.</remarks>
public sealed class ChaosInjectedException : Exception
{
    private static readonly ConditionalWeakTable<Exception, object> Injected = [];
    private static readonly object Mark = new();

    internal ChaosInjectedException(string policyName, ChaosKind kind)
        : base(kind == ChaosKind.LostReply
            ? $"The chaos policy '{policyName}' lost the reply on purpose: the call was made and ran to its end."
            : $"The chaos policy '{policyName}' injected this fault on purpose: the call was not made.")
    {
        PolicyName = policyName;
        Kind = kind;
    }

    /// <summary>The policy that injected it.</summary>
    public string PolicyName { get; }

    /// <summary><see cref="ChaosKind.Fault"/> or <see cref="ChaosKind.LostReply"/>.</summary>
    public ChaosKind Kind { get; }

    /// <summary>Whether a chaos policy injected this exception, whatever its type. For log filters and for handlers of errors.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public static bool IsInjected(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return exception is ChaosInjectedException || Injected.TryGetValue(exception, out _);
    }

    internal static void MarkInjected(Exception exception)
    {
        if (exception is not ChaosInjectedException) Injected.AddOrUpdate(exception, Mark);
    }
}

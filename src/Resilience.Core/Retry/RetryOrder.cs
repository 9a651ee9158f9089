using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What can be wrong about where a retry stands.</summary>
internal static class RetryOrder
{
    internal static void Check(OrderCheck check)
    {
        PolicyDescription retry = check.Policy;
        foreach (PolicyDescription inner in check.InsideAs(PolicyRole.Retry))
            check.Warn("RES005", string.Create(
                CultureInfo.InvariantCulture, $"two retries multiply: up to {retry.Attempts} × {inner.Attempts} attempts for one call. Keep one."), inner);
        if (retry is { MaxAttempts: null, FirstDelay: not null } && !check.OutsideAs(PolicyRole.Timeout).Any())
            check.Warn("RES015", "the retries are unlimited and no timeout stands around them, so only the caller's token or deadline ends a call "
                + "to a dependency that is gone. Add a total timeout.");
    }
}

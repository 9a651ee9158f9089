using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>What the strategies of Polly itself do with a context and no other strategy may: give it the token of an attempt, and ask whether its caller
/// waits. A copy would lose its properties, which cannot be listed. Whether it is possible is found out when the first pipeline crosses the border.</summary>
internal static class PollyContext
{
    internal static bool IsSynchronous(Polly.ResilienceContext context) => Waits(context);

    internal static void SetToken(Polly.ResilienceContext context, CancellationToken token) => Set(context, token);

    /// <exception cref="NotSupportedException">This version of Polly does not let itself be used so.</exception>
    internal static void Check()
    {
        Polly.ResilienceContext context = Polly.ResilienceContextPool.Shared.Get(CancellationToken.None);
        try
        {
            Set(context, CancellationToken.None);
            _ = Waits(context);
        }
        catch (MissingMethodException missing)
        {
            throw new NotSupportedException("This version of Polly.Core does not let a strategy set the token of an attempt; 8.9.1 does.", missing);
        }
        finally
        {
            Polly.ResilienceContextPool.Shared.Return(context);
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_CancellationToken")]
    private static extern void Set(Polly.ResilienceContext context, CancellationToken token);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_IsSynchronous")]
    private static extern bool Waits(Polly.ResilienceContext context);
}

namespace Resilience;

/// <summary>Tasks without a result, as the links see them.</summary>
internal static class WithoutResult
{
    /// <summary>Stands for a delegate that has not ended successfully (yet): the call then looks at <see cref="IInvocation{T}.Running"/>.</summary>
    private static readonly ValueTask<Nothing> Other = new(new TaskCompletionSource<Nothing>().Task);

    internal static ValueTask<Nothing> Of(in ValueTask running)
    {
        if (!running.IsCompletedSuccessfully) return Other;
        running.GetAwaiter().GetResult();
        return default;
    }

    internal static InvalidOperationException TaskIsMissing() => ProgramError.Make("The delegate returned null instead of a task.");
}

using Resilience.Idempotency;

namespace Resilience.Testing;

/// <summary>The laws of <see cref="IIdempotencyStore"/>, for any store and any test framework: run <see cref="CheckAsync"/> once, or each of
/// <see cref="Laws"/> as a test of its own.</summary>
/// <example>
/// <code>
/// [Theory, MemberData(nameof(Laws))]
/// public Task My_store_keeps(IdempotencyStoreLaw law) =&gt; law.CheckAsync(new MySubject());
/// </code>
/// </example>
public static class IdempotencyStoreContract
{
    /// <summary>All laws.</summary>
    public static IReadOnlyList<IdempotencyStoreLaw> Laws { get; } =
    [
        .. ClaimLaws.All(), .. CompletionLaws.All(), .. TimeLaws.All(), .. RaceLaws.All(), .. ResolutionLaws.All(),
    ];

    /// <summary>Checks all laws, one after the other.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="subject"/> is null.</exception>
    public static async Task<ContractReport> CheckAsync(IdempotencyStoreSubject subject)
    {
        ArgumentNullException.ThrowIfNull(subject);
        List<string> passed = [];
        List<KeyValuePair<string, Exception>> failed = [];
        foreach (IdempotencyStoreLaw law in Laws)
        {
            try
            {
                await law.CheckAsync(subject).ConfigureAwait(false);
                passed.Add(law.Name);
            }
            catch (Exception error)
            {
                failed.Add(new(law.Name, error));
            }
        }

        return new(passed, failed);
    }
}

namespace Resilience.Tests;

/// <summary>What a check of the repository has found.</summary>
internal static class Findings
{
    /// <summary>Fails with all findings, a line each: who mends them wants the whole list, and an assertion about a collection shows its first element.</summary>
    internal static void ShouldBeNone<T>(this IEnumerable<T> findings, string because = "") => string.Join("\n", findings).Should().BeEmpty(because);
}

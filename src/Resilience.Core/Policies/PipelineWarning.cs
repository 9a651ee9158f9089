namespace Resilience.Extensibility;

/// <summary>A finding about a pipeline that will not do what its author probably wants.</summary>
/// <param name="Code">A stable code, <c>RES001</c> and so on; the documentation has a paragraph for each.</param>
/// <param name="Message">What is wrong and what to do, with the numbers.</param>
/// <param name="Policies">The names of the policies concerned, outermost first.</param>
public sealed record PipelineWarning(string Code, string Message, IReadOnlyList<string> Policies)
{
    /// <summary>True when something that was set can never take effect, whatever happens: an inner timeout that is as long as the outer one
    /// (RES007). False when it works, though perhaps not as well as it could.</summary>
    public bool IsContradiction { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Code}: {Message}";
}

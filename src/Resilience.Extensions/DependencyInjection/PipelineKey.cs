namespace Resilience;

/// <summary>What a pipeline is found by.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Result">The type of the results it is for; null for any.</param>
internal readonly record struct PipelineKey(string Name, Type? Result)
{
    public override string ToString() => Result is null ? Name : $"{Name}<{Result.Name}>";
}

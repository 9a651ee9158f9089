namespace Resilience.Tests;

/// <summary>Tests that start other programs (publish, pack, samples): one after the other, when the others have ended.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessesCollection
{
    public const string Name = "Processes";
}

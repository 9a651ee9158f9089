namespace Resilience.Tests;

/// <summary>Tests that start other programs (publish, pack, samples): one after the other, when the others have ended.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessesCollection
{
    public const string Name = "Processes";
}

/// <summary>Tests in which real threads must really meet: one after the other, when nothing else takes the processors.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ThreadsCollection
{
    public const string Name = "Threads";
}

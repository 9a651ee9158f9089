namespace Resilience.Tests;

/// <summary>Tests that start other programs (publish, pack, samples): one after the other, when the others have ended.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessesCollection
{
    public const string Name = "Processes";
}

/// <summary>Tests whose threads must meet: one class after the other, so that they do not take the processors from each other.</summary>
[CollectionDefinition(Name)]
public sealed class ThreadsCollection
{
    public const string Name = "Threads";
}

using Microsoft.EntityFrameworkCore;

namespace Resilience.EntityFrameworkCore;

/// <summary>What an operation of ours says of itself, beside its delegate: the state of <see cref="ResilienceExecutionStrategy"/>'s methods.</summary>
internal interface IRepeatableOperation
{
    /// <summary>The caller says that the whole of it may be done twice.</summary>
    bool IsRepeatable { get; }

    /// <summary>The context whose entities it forgets before a repeat; null: none.</summary>
    DbContext? Forgets { get; }

    /// <summary>The attempt that has ended may have been applied: its result is the one to return if that turns out.</summary>
    void KeepResult();
}

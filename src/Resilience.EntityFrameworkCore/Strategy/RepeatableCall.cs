using Microsoft.EntityFrameworkCore;

namespace Resilience.EntityFrameworkCore;

/// <summary>A delegate of which the caller says that it may be done twice.</summary>
internal sealed record RepeatableCall<TDelegate>(TDelegate Operation) : IRepeatableOperation
    where TDelegate : Delegate
{
    public bool IsRepeatable => true;

    public DbContext? Forgets => null;

    public void KeepResult()
    {
    }
}

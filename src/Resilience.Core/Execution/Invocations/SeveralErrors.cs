namespace Resilience;

/// <summary>Carries all exceptions of a task to where they are judged; it is never visible outside.</summary>
internal sealed class SeveralErrors(AggregateException all) : Exception
{
    internal AggregateException All => all;
}

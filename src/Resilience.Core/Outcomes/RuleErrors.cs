namespace Resilience;

/// <summary>Tells the listeners of a pipeline of what its rules answer wrongly, once of each sort. Thread-safe.</summary>
/// <param name="tell">Is told of the answer, and whether it was given for a result.</param>
internal sealed class RuleErrors(Action<Verdict, bool> tell)
{
    private int _told; // a bit for each verdict and kind of outcome

    internal void Tell(Verdict answer, bool isResult)
    {
        int sort = 1 << ((int)answer + (isResult ? 8 : 0));

        // Full fence: of several calls that see the same at once one tells.
        if ((Volatile.Read(ref _told) & sort) == 0 && (Interlocked.Or(ref _told, sort) & sort) == 0)
            tell(answer, isResult);
    }
}

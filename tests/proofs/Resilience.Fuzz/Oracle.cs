namespace Resilience.Fuzz;

/// <summary>A promise of a parser that an input broke.</summary>
internal sealed class BrokenPromiseException(string message) : Exception(message);

/// <summary>A parser under test, with all that must hold whatever it is given.</summary>
/// <param name="Name">Of the target, and of the folder with its inputs.</param>
/// <param name="Check">Throws if a promise is broken; whatever else it throws is the parser's own fault.</param>
/// <param name="Words">Pieces that inputs are made of, for a search that does not see the code.</param>
internal sealed record Oracle(string Name, Action<byte[]> Check, IReadOnlyList<string> Words)
{
    internal static IReadOnlyList<Oracle> All(Planted planted) =>
        [KeyHeader.Make(planted), RetryAfter.Make(planted), Record.Make(planted), StoredResponse.Make(planted), Settings.Make(planted)];

    internal static void Require(bool holds, string promise)
    {
        if (!holds) throw new BrokenPromiseException(promise);
    }
}

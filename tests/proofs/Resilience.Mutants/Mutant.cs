namespace Resilience.Mutants;

/// <summary>One small change of the code, named so that it is found again when lines above it move.</summary>
/// <param name="File">The changed file, from the folder of its project.</param>
/// <param name="Line">The first changed line as it stands in the file.</param>
/// <param name="Replacement">What stands in place of the changed piece.</param>
internal sealed record Mutant(string File, string Line, string Replacement)
{
    private const int Max = 100;

    internal static Mutant Of(string file, string line, string replacement) => new(file, OneLine(line, int.MaxValue), OneLine(replacement, Max));

    /// <summary>Text with single spaces in place of all white space; long text is cut.</summary>
    private static string OneLine(string text, int max)
    {
        string line = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length <= max ? line : line[..max];
    }
}

/// <summary>What became of a mutant.</summary>
internal sealed record TriedMutant(Mutant Mutant, bool IsNoticed, bool IsTimeout);

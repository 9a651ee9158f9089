namespace Resilience.Mutants;

/// <summary>Why a survivor is left.</summary>
internal enum SurvivorKind
{
    /// <summary>The change changes nothing: no test can notice it, so it is not counted.</summary>
    Same,

    /// <summary>Only another thread between two steps can tell; the schedules look there.</summary>
    Race,

    /// <summary>Time or memory is spent differently, or what is wiped is not.</summary>
    Cost,

    /// <summary>Only a caller who breaks the contract can tell.</summary>
    Misuse,
}

internal sealed record Survivor(Mutant Mutant, SurvivorKind Kind, string Reason);

/// <summary>The survivors of a group, each under its reason. A tree by indentation: kind and reason; the file; the line; the replacement.</summary>
internal static class SurvivorList
{
    private const int Step = 2;

    /// <exception cref="FormatException">A line is not where it can be; the message names it.</exception>
    internal static IReadOnlyList<Survivor> Read(string text)
    {
        List<Survivor> survivors = [];
        string?[] above = [null, null, null];
        SurvivorKind kind = default;
        int number = 0;
        foreach (string raw in text.Split('\n'))
        {
            number++;
            string line = raw.Trim();
            if (line.Length == 0 || raw.StartsWith('#')) continue;
            int level = raw.TakeWhile(c => c == ' ').Count() / Step;
            if (level > above.Length || (level > 0 && above[level - 1] is null)) throw new FormatException($"line {number} stands too far to the right");
            if (level == above.Length)
            {
                survivors.Add(new(Mutant.Of(above[1]!, above[2]!, line), kind, above[0]!));
                continue;
            }

            above[level] = level == 0 ? ReasonOf(line, number, out kind) : line;
            Array.Clear(above, level + 1, above.Length - level - 1);
        }

        return survivors;
    }

    /// <summary>Mutants as lines of a list that has yet to get its reasons.</summary>
    internal static IEnumerable<string> Write(IEnumerable<TriedMutant> survivors)
    {
        foreach (IGrouping<string, TriedMutant> file in survivors.GroupBy(s => s.Mutant.File))
        {
            yield return $"{Indent(1)}{file.Key}";
            foreach (IGrouping<string, TriedMutant> line in file.GroupBy(s => s.Mutant.Line))
            {
                yield return $"{Indent(2)}{line.Key}";
                foreach (TriedMutant mutant in line) yield return $"{Indent(3)}{mutant.Mutant.Replacement}";
            }
        }
    }

    private static string Indent(int level) => new(' ', level * Step);

    private static string ReasonOf(string line, int number, out SurvivorKind kind)
    {
        string[] parts = line.Split(':', 2, StringSplitOptions.TrimEntries);
        if (parts.Length == 2 && parts[1].Length > 0 && !int.TryParse(parts[0], out _) && Enum.TryParse(parts[0], ignoreCase: true, out kind)) return parts[1];
        throw new FormatException($"line {number} must be 'KIND: reason', where KIND is one of {string.Join(", ", Enum.GetNames<SurvivorKind>())}");
    }
}

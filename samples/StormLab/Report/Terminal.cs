namespace Resilience.StormLab;

/// <summary>The account in the terminal: the story, small charts on the same scale, numbers, checks and hints.</summary>
internal static class Terminal
{
    private const int Columns = 72;
    private const string Levels = " ▁▂▃▄▅▆▇█";

    internal static IEnumerable<string> Tell(StormRun naive, StormRun configured)
    {
        yield return $"Storm: {naive.Plan.Scenario.Name}";
        yield return Story.Verdict(naive, configured);
        foreach (string paragraph in Story.Tell(naive, configured))
        {
            yield return "";
            foreach (string line in Wrap(paragraph, 110)) yield return line;
        }

        yield return "";
        foreach (string line in Charts(naive, configured)) yield return line;
        yield return "";
        int width = new[] { naive.Plan.Names.Naive.Length, 24 }.Max();
        yield return $"{"",-42}{naive.Plan.Names.Naive.PadRight(width)}  {naive.Plan.Names.Configured}";
        foreach ((string name, string left, string right) in Story.Table(naive, configured)) yield return $"{name,-42}{left.PadRight(width)}  {right}";
        yield return "";
        foreach (StormRun run in new[] { naive, configured })
        {
            foreach (StormCheck check in StormChecks.Of(run))
                yield return $"check {(check.Holds ? "holds " : "BROKEN")} {Name(run)}: {check.Name} ({check.Detail})";
        }

        foreach (StormRun run in new[] { naive, configured })
        {
            foreach (string hint in Hints.For(run))
            {
                yield return "";
                foreach (string line in Wrap($"hint for {Name(run)}: {hint}", 110)) yield return line;
            }
        }
    }

    /// <summary>Every row a series, averaged over columns; rows of one kind share their scale.</summary>
    private static IEnumerable<string> Charts(StormRun naive, StormRun configured)
    {
        StormRun[] runs = [naive, configured];
        double load = runs.Max(r => r.Seconds.Max(s => s.Attempts)), good = runs.Max(r => r.Seconds.Max(s => s.Succeeded));
        string trouble = Row(naive, s => naive.Plan.Scenario.Phases.Any(p => s.Second >= p.From && s.Second < p.Until) ? 1 : 0, v => v > 0 ? '=' : ' ');
        yield return $"{"the trouble",-24}|{trouble}|";
        foreach (StormRun run in runs) yield return $"{"load, " + Name(run),-24}|{Row(run, s => s.Attempts, v => Level(v / load))}| up to {load:0}/s";
        foreach (StormRun run in runs) yield return $"{"goodput, " + Name(run),-24}|{Row(run, s => s.Succeeded, v => Level(v / good))}| up to {good:0}/s";
        foreach (StormRun run in runs.Where(r => r.Settings.CircuitBreaker is not null))
            yield return $"{"circuits, " + Name(run),-24}|{Row(run, s => (s.Open + s.HalfOpen) / run.Plan.Clients, Level)}| share open";
        yield return $"{"",-24} 0 s{new string(' ', Columns - 8)}{naive.Seconds.Count,3} s";
    }

    private static string Row(StormRun run, Func<StormSecond, double> value, Func<double, char> draw)
    {
        char[] row = new char[Columns];
        for (int c = 0; c < Columns; c++)
        {
            int from = c * run.Seconds.Count / Columns, until = Math.Max(from + 1, (c + 1) * run.Seconds.Count / Columns);
            row[c] = draw(run.Seconds.Skip(from).Take(until - from).Average(value));
        }

        return new(row);
    }

    /// <summary>Something is never drawn as nothing.</summary>
    private static char Level(double share) => Levels[share <= 0 ? 0 : Math.Clamp((int)Math.Round(share * (Levels.Length - 1)), 1, Levels.Length - 1)];

    private static IEnumerable<string> Wrap(string text, int width)
    {
        string line = "";
        foreach (string word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = "";
            }

            line += line.Length == 0 ? word : " " + word;
        }

        yield return line;
    }

    private static string Name(StormRun run) => run.Plan.NameOf(run.Side);
}

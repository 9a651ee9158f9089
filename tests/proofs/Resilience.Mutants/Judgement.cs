using System.Globalization;

namespace Resilience.Mutants;

/// <summary>A report held against the list of its explained survivors.</summary>
internal sealed record Judgement(bool IsGood, IReadOnlyList<string> Lines)
{
    /// <summary>Of the mutants that change anything, the share that must be noticed.</summary>
    internal const double Min = 0.95;

    internal static Judgement Of(IReadOnlyList<TriedMutant> tried, IReadOnlyList<Survivor> explained)
    {
        List<string> faults = [], notes = [];
        List<Survivor> left = [.. explained];
        int noticed = tried.Count(t => t.IsNoticed), same = 0;
        foreach (Mutant survivor in tried.Where(t => !t.IsNoticed).Select(t => t.Mutant))
        {
            int place = left.FindIndex(s => s.Mutant == survivor);
            if (place < 0)
            {
                faults.Add($"survived, and no reason is given: {survivor.File}: {survivor.Line} -> {survivor.Replacement}");
                continue;
            }

            if (left[place].Kind == SurvivorKind.Same) same++;
            left.RemoveAt(place);
        }

        foreach (Survivor gone in left) Say(gone);
        int counted = tried.Count - same;
        if (counted == 0 || noticed < Min * counted) faults.Add($"fewer than {Share(Min)} of the mutants that change anything were noticed");
        string score = string.Create(CultureInfo.InvariantCulture,
            $"noticed {noticed} of {tried.Count}, {Share(noticed, tried.Count)}; {same} change nothing: {noticed} of {counted}, {Share(noticed, counted)}");
        return new(faults.Count == 0, [.. faults, .. notes, score]);

        // Chance may notice a race or a cost; what is listed as changing nothing must never be noticed. A test that took too long has noticed nothing.
        void Say(Survivor gone)
        {
            string what = $"{gone.Mutant.File}: {gone.Mutant.Line} -> {gone.Mutant.Replacement}";
            TriedMutant? now = tried.FirstOrDefault(t => t.IsNoticed && t.Mutant == gone.Mutant);
            if (now is null) faults.Add($"listed, and not in the report: {what}");
            else if (gone.Kind == SurvivorKind.Same && !now.IsTimeout) faults.Add($"said to change nothing, and noticed: {what}");
            else notes.Add($"listed, and noticed this time: {what}");
        }
    }

    private static string Share(int part, int whole) => Share(whole == 0 ? 0 : (double)part / whole);

    private static string Share(double share) => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(1000 * share) / 10:0.0} %");
}

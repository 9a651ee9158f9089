using Resilience.Mutants;

// judge REPORT LIST      holds a report of the mutation tool against the list of survivors that were explained (tests/proofs/mutants/*.survivors);
//                        ends with 1 when one is not in the list, when a reason is false, or when too few mutants were noticed
// survivors REPORT       prints the survivors of a report in the form of that list, to be sorted under reasons
switch (args)
{
    case ["judge", string report, string list]:
        Judgement judgement = Judgement.Of(Report.Read(File.ReadAllText(report)), SurvivorList.Read(File.ReadAllText(list)));
        foreach (string line in judgement.Lines) Console.WriteLine(line);
        return judgement.IsGood ? 0 : 1;
    case ["survivors", string report]:
        foreach (string line in SurvivorList.Write(Report.Read(File.ReadAllText(report)).Where(mutant => !mutant.IsNoticed))) Console.WriteLine(line);
        return 0;
    default:
        Console.Error.WriteLine("judge REPORT LIST | survivors REPORT; see the head of Program.cs");
        return 2;
}

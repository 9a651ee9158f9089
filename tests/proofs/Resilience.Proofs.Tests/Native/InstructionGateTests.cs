using System.Globalization;
using System.Runtime.InteropServices;

namespace Resilience.Tests.Native;

/// <summary>The hot paths cost as many instructions as the record says. A change that makes one dearer changes the record in the same commit:
/// <c>RESILIENCE_ACCEPT_INSTRUCTIONS=1 dotnet test tests/proofs/Resilience.Proofs.Tests -c Release --filter InstructionGate</c>.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class InstructionGateTests
{
    private const double Tolerance = 0.03;

    private static readonly string RecordFile = Path.Combine(Repository.Root, "tests/proofs/Resilience.Instructions/instructions.txt");

    private static string Machine => $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}";

    [Fact]
    [Requires(Tool.Valgrind, Tool.Bash)]
    public async Task No_hot_path_costs_more_instructions_than_the_record_says()
    {
        Dictionary<string, double> measured = await MeasureAsync();
        Compare(new() { ["budget-call"] = measured["budget-call"] }, new() { ["budget-call"] = measured["slower"] })
            .Should().ContainSingle("a planted loop of four writes is noticed");
        measured.Remove("slower");
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_INSTRUCTIONS") == "1")
        {
            string[] lines = [.. measured.Select(m => FormattableString.Invariant($"{m.Key} {m.Value:0.0}"))];
            await File.WriteAllLinesAsync(RecordFile, ["# Instructions of one operation (tests/proofs/Resilience.Instructions/measure.sh), reviewed with each change.", $"# {Machine}", .. lines]);
        }

        string[] record = await File.ReadAllLinesAsync(RecordFile);
        string recordedOn = record[1][2..];
        Compare(Parse(record), measured).Should().BeEmpty(
            recordedOn == Machine ? "the record was made on {0}, too" : "the record was made on {0}; this is {1}, which alone may change counts: measure the former commit here", recordedOn, Machine);
    }

    [Theory]
    [InlineData(100, 103, false)]
    [InlineData(100, 103.1, true)]
    [InlineData(100, 96, false)]
    [InlineData(1000, 1050, true)]
    public void The_comparison_complains_of_three_percent_more(double recorded, double measured, bool complains) =>
        Compare(new() { ["x"] = recorded }, new() { ["x"] = measured }).Should().HaveCount(complains ? 1 : 0);

    [Fact]
    public void The_comparison_complains_of_an_operation_that_one_side_does_not_know()
    {
        Compare(new() { ["x"] = 1 }, []).Should().ContainSingle().Which.Should().Contain("x");
        Compare([], new() { ["y"] = 1 }).Should().ContainSingle().Which.Should().Contain("y");
    }

    private static List<string> Compare(Dictionary<string, double> recorded, Dictionary<string, double> measured)
    {
        List<string> complaints = [];
        foreach ((string name, double now) in measured)
        {
            if (!recorded.TryGetValue(name, out double before)) complaints.Add($"{name} is not in the record");
            else if (now > before * (1 + Tolerance)) complaints.Add(FormattableString.Invariant($"{name}: {now:0.0} instructions, the record says {before:0.0}"));
        }

        complaints.AddRange(recorded.Keys.Where(name => !measured.ContainsKey(name)).Select(name => $"{name} is recorded, but was not measured"));
        return complaints;
    }

    private static async Task<Dictionary<string, double>> MeasureAsync()
    {
        (int exit, string printed) = await Repository.RunAsync("bash", TimeSpan.FromMinutes(10), "tests/proofs/Resilience.Instructions/measure.sh");
        exit.Should().Be(0, "{0}", printed);
        return Parse(printed.Split('\n'));
    }

    private static Dictionary<string, double> Parse(IEnumerable<string> lines) => lines
        .Select(l => l.Split(' '))
        .Where(w => w.Length == 2 && double.TryParse(w[1], NumberStyles.Float, CultureInfo.InvariantCulture, out _))
        .ToDictionary(w => w[0], w => double.Parse(w[1], CultureInfo.InvariantCulture));
}

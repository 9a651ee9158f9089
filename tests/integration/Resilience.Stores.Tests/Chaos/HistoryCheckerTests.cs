using Resilience.StoreChaos;

namespace Resilience.Idempotency.Tests.Chaos;

/// <summary>The checker accepts what is right and finds each thing that is wrong.</summary>
public sealed class HistoryCheckerTests
{
    private static readonly Entry[] Good =
    [
        new(0, Step.Begun, "k", 10, 1, "0."), new(400, Step.Begun, "k", 20, 2, "390."), new(500, Step.Done, "k", 20, 2, "b."), new(510, Step.Kept, "k", 20, 2, "b."),
        new(511, Step.Told, "k", 0, 0, "b."), new(600, Step.Done, "k", 10, 1, "a."), new(610, Step.Stale, "k", 10, 1, "a."), new(620, Step.Told, "k", 0, 0, "b."),
    ];

    private static ChaosVerdict Check(IEnumerable<Entry> entries, string? stored = "b.") =>
        HistoryChecker.Check([.. entries], new Dictionary<string, string?> { ["k"] = stored }, 300);

    [Fact]
    public void A_history_that_is_right_is_accepted()
    {
        ChaosVerdict verdict = Check(Good);
        verdict.Violations.Should().BeEmpty();
        verdict.Should().Match<ChaosVerdict>(v => v.Executions == 2 && v.Takeovers == 1 && v.Stale == 1 && v.Replays == 2);
        Check(Good.Reverse()).Violations.Should().BeEmpty("the order of the files does not matter");
    }

    public static TheoryData<string, Entry[], string?> Wrong => new()
    {
        { "told different results", [.. Good, new(700, Step.Told, "k", 0, 0, "a.")], "b." },
        { "but the store holds nothing", Good, null },
        { "but the store holds a.", Good, "a." },
        { "was acknowledged", [.. Good.Where(e => e.Step != Step.Told)], "a." },
        { "kept under 2 fences", [.. Good, new(700, Step.Kept, "k", 10, 1, "b.")], "b." },
        { "though a later claim was granted", [.. Good.Where(e => e.Step != Step.Kept), new(700, Step.Kept, "k", 10, 1, "b.")], "b." },
        { "was granted twice", [.. Good, new(900, Step.Begun, "k", 20, 3, "890.")], "b." },
        { "attempt 1 followed attempt 2", [.. Good, new(900, Step.Begun, "k", 30, 1, "890.")], "b." },
        { "ms after a claim", [.. Good.Where(e => e.At != 400), new(100, Step.Begun, "k", 20, 2, "90.")], "b." },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_is_wrong_is_found(string complaint, Entry[] entries, string? stored) => Check(entries, stored).Violations.Should().Contain(v => v.Contains(complaint));

    [Fact]
    public void A_line_that_was_cut_off_is_passed_over()
    {
        string line = Good[1].ToString();
        Entry.Parse(line).Should().Be(Good[1]);
        for (int length = 0; length < line.Length; length++) Entry.Parse(line[..length]).Should().BeNull();
    }
}

using System.Text.RegularExpressions;
using Resilience.Tests.Docs.Running;

namespace Resilience.Tests.Docs;

/// <summary>The code of the documents does what the documents say: each block is run, with a server that answers by a script, and what its mark claims is
/// checked (<see cref="BlockMark"/>). A block that is not run says why, by one of few reasons.</summary>
public sealed partial class BlocksRunTests
{
    /// <summary>May only fall.</summary>
    private const int MaxNotRun = 14, MaxNotCompiled = 8;

    /// <summary>Why a block need not be run. A new reason is a decision: add it here, where it is read.</summary>
    private static readonly string[] Reasons =
    [
        "the wrong way, which an analyzer reports",
    ];

    public static TheoryData<string> Run => [.. Block.All.Where(b => b.IsRun && !b.Mark.NeedsPostgreSql).Select(b => b.Place)];

    [Theory]
    [MemberData(nameof(Run))]
    public async Task A_block_does_what_it_says(string place) => (await CompiledBlocks.OfDocuments.RunAsync(place)).Should().BeNull();

    [Fact]
    public void Each_block_is_run_or_says_why_not()
    {
        Block.All.SelectMany(ComplaintsAbout).ShouldBeNone();
        Block.All.Count(b => b.IsRun).Should().BeGreaterThan(100);
        Block.All.Count(b => b.Mark.NotRun is not null).Should().BeLessThanOrEqualTo(MaxNotRun);
        Block.All.Count(b => b.Mark.NotCompiled is not null && b.SampleOf is null).Should().BeLessThanOrEqualTo(MaxNotCompiled);
    }

    private static IEnumerable<string> ComplaintsAbout(Block block)
    {
        BlockMark mark = block.Mark;
        foreach (string odd in mark.Odd) yield return $"{block.Place}: '{odd}' is no word of a mark";
        string?[] kinds = [mark.NotCompiled, mark.NotRun, mark.RunBy];
        if (kinds.Count(k => k is not null) > 1) yield return $"{block.Place} is of two kinds";
        if (!block.IsRun && (mark.First.Count + mark.After.Count + mark.Prints.Count > 0 || mark.Throws is not null))
            yield return $"{block.Place} is not run and claims something";
        if (block.IsRun && block.IsFile && mark.After.Count == 0) yield return $"{block.Place} declares types, and its mark uses none of them";
        if (mark.NotRun is { } reason && !Reasons.Contains(reason)) yield return $"{block.Place}: '{reason}' is no reason";
        if (mark.NotCompiled is { Length: < 5 }) yield return $"{block.Place}: says not why it is not compiled";
        if (mark.RunBy is { } test && !Tests.Contains(test)) yield return $"{block.Place}: there is no test {test}";
    }

    private static readonly HashSet<string> Tests =
        [.. Repository.Files("tests", "*Tests.cs").SelectMany(f => Method().Matches(File.ReadAllText(f)).Select(m => m.Groups[1].Value))];

    [Theory]
    [InlineData("int x = 1;", "holds: x == 1", null)]
    [InlineData("int x = 1;", "holds: x == 2", "It is not true that x == 2")]
    [InlineData("Console.WriteLine(6 * 7); // prints: 42", "run", null)]
    [InlineData("Console.WriteLine(6 * 7); // prints: 43", "run", "it should print*43*42")]
    [InlineData("Console.WriteLine(6 * 7);", "prints: 4*", null)]
    [InlineData("Console.WriteLine(1);\nConsole.WriteLine(2); // prints: 1", "run", "it should print*")]
    [InlineData("throw new TimeoutException();", "run", "it throws System.TimeoutException*")]
    [InlineData("throw new TimeoutException();", "throws: TimeoutException", null)]
    [InlineData("throw new TimeoutException();", "throws: IOException", "it should throw IOException, and throws *TimeoutException*")]
    [InlineData("int x = 1;", "throws: IOException", "it should throw IOException, and does not throw")]
    [InlineData("return;", "holds: server.Asked == 0", "it returns before its end")]
    [InlineData("services.AddResilience().AddPipelines(\"None\");", "run", "it throws *None*")]
    [InlineData("sealed class C { public int Two => 2; }", "holds: new C().Two == 2", null)]
    [InlineData("sealed class C { public int Two => 3; }", "holds: new C().Two == 2", "It is not true that *")]
    [InlineData("string s = await http.GetStringAsync(\"https://shop.example/\", cancellationToken);", "holds: s == \"answer\" && server.Asked == 1", null)]
    [InlineData("await new ResiliencePipelineBuilder().AddRetry().Build().ExecuteAsync(ct => http.GetStringAsync(\"/\", ct), cancellationToken);",
        "first: server.Answers(503, 503, \"x\")", null)]
    [InlineData("await new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromHours(1)).Build().ExecuteAsync(ct => Task.Delay(-1, ct));",
        "run\nwaits: 02:00:00\nthrows: TimedOutException", null)]
    public async Task A_false_claim_is_found(string code, string mark, string? complaint)
    {
        Block block = Block.Of("planted.md", ["<!--", .. mark.Split('\n'), "-->", "```csharp", .. code.Split('\n'), "```"]).Single();
        ComplaintsAbout(block).ShouldBeNone();
        CompiledBlocks compiled = new([block]);
        compiled.Errors.ShouldBeNone();
        string? fault = await compiled.RunAsync(block.Place);
        if (complaint is null) fault.Should().BeNull();
        else fault.Should().Match(complaint);
    }

    [Theory]
    [InlineData("run\nhold: x", "*'hold: x' is no word of a mark")]
    [InlineData("not run: the wrong way, which an analyzer reports\nholds: true", "*is not run and claims something")]
    [InlineData("not run: no time", "*'no time' is no reason")]
    [InlineData("run by: No_such_test", "*there is no test No_such_test")]
    [InlineData("not run: the wrong way, which an analyzer reports\ncompile: no: a sketch", "*is of two kinds")]
    [InlineData("compile: file", "*declares types, and its mark uses none of them")]
    public void A_mark_that_excuses_too_much_is_found(string mark, string complaint) =>
        ComplaintsAbout(Block.Of("planted.md", ["<!--", .. mark.Split('\n'), "-->", "```csharp", "int x;", "```"]).Single()).Should().ContainSingle()
            .Which.Should().Match(complaint);

    [Fact]
    public void Marks_above_a_block_are_read()
    {
        string[] lines =
        [
            "<!-- compile: no: it is a sketch -->", "```csharp", "x", "```", "", "", "<!-- compile: file -->", "", "<!-- run", "first: a", "holds: b: c", "-->", "```csharp", "y", "```", "",
            "```json", "{ }", "```", "```csharp", "z",
        ];
        Block[] blocks = [.. Block.Of("planted.md", lines)];
        blocks.Select(b => (b.Line, b.Code, b.Mark.NotCompiled, b.Mark.IsFile, b.Json)).Should().Equal(
            (3, "x", "it is a sketch", false, null), (14, "y", null, true, null), (21, "z", null, false, "{ }"));
        (blocks[1].Mark.First.Single(), blocks[1].Mark.After.Single()).Should().Be(("a", "holds: b: c"));
    }

    [GeneratedRegex(@"public (?:async Task|void|Task) (\w+)\(")]
    private static partial Regex Method();
}

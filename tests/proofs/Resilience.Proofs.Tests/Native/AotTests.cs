namespace Resilience.Tests.Native;

/// <summary>The library survives trimming and ahead-of-time compilation: a program with every policy is published and executed.</summary>
[Trait("Category", "Aot")]
[Collection(ProcessesCollection.Name)]
public sealed class AotTests
{
    [Fact]
    [Requires(Tool.Linker)]
    public Task A_native_program_with_every_policy_is_published_without_warnings_and_runs() => CheckAsync("Resilience.AotApp");

    /// <summary>The accessors that reach into Polly survive as well, and Polly itself gives no warning either.</summary>
    [Fact]
    [Requires(Tool.Linker)]
    public Task A_native_program_crosses_the_border_to_Polly_without_warnings() => CheckAsync("Resilience.PollyAotApp");

    private static async Task CheckAsync(string app)
    {
        string output = Directory.CreateTempSubdirectory("resilience-aot").FullName;
        try
        {
            (int published, string log) = await Repository.RunAsync(
                "dotnet", TimeSpan.FromMinutes(8), "publish", "tests/proofs/" + app, "-c", "Release", "-o", output, "--nologo", "-warnaserror");
            published.Should().Be(0, "{0}", log);
            (int exit, string printed) = await Repository.RunAsync(Path.Combine(output, app), TimeSpan.FromMinutes(1));
            exit.Should().Be(0, "{0}", printed);
            printed.Should().Contain("all checks passed").And.NotContain("FAILED");
        }
        finally
        {
            Directory.Delete(output, recursive: true);
        }
    }
}

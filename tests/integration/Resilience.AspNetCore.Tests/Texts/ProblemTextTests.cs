using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Tests;

namespace Resilience.AspNetCore.Tests;

/// <summary>Every problem that a client can get in place of an endpoint's answer stands in a file that is reviewed, as it is sent.</summary>
public sealed class ProblemTextTests
{
    private static readonly string File = Path.Combine(Repository.Root, "docs", "endpoint-problems.txt");

    private static readonly IdempotencyEndpointOptions Usual = new(), Least = new() { MaxOpenPerScope = 1, KeyFor = (_, _) => null };

    private static IEnumerable<(string Method, Func<HttpContext, Task> Write)> Problems()
    {
        yield return ("KeyMissingAsync", c => IdempotencyProblems.KeyMissingAsync(c, Usual));
        yield return ("KeyMissingAsync", c => IdempotencyProblems.KeyMissingAsync(c, Least));
        foreach (string? key in (string?[])["", new('k', 300), "or\nder", "a\ud800b"])
            yield return ("KeyInvalidAsync", c => IdempotencyProblems.KeyInvalidAsync(c, Usual, IdempotencyKey.FindProblem(key)!));
        yield return ("ScopeInvalidAsync", c => IdempotencyProblems.ScopeInvalidAsync(c, Usual));
        yield return ("ReplayForbiddenAsync", c => IdempotencyProblems.ReplayForbiddenAsync(c, Usual));
        yield return ("CallerUnknownAsync", c => IdempotencyProblems.CallerUnknownAsync(c, Usual));
        yield return ("MisconfiguredAsync", c => IdempotencyProblems.MisconfiguredAsync(c, Usual, "there is no table"));
        yield return ("TooManyOpenAsync", c => IdempotencyProblems.TooManyOpenAsync(c, Usual));
        yield return ("TooManyOpenAsync", c => IdempotencyProblems.TooManyOpenAsync(c, Least));
        yield return ("TooManyKeysAsync", c => IdempotencyProblems.TooManyKeysAsync(c, Usual, 1000, TimeSpan.FromMinutes(2)));
        yield return ("TooManyKeysAsync", c => IdempotencyProblems.TooManyKeysAsync(c, Usual, 1, TimeSpan.FromMinutes(2)));
        yield return ("BodyTooLargeAsync", c => IdempotencyProblems.BodyTooLargeAsync(c, Usual));
        yield return ("NotKeptAsync", c => IdempotencyProblems.NotKeptAsync(c, Usual));
        yield return ("NotCommittedAsync", c => IdempotencyProblems.NotCommittedAsync(c, Usual));
        yield return ("OutcomePendingAsync", c => IdempotencyProblems.OutcomePendingAsync(c, Usual));
        yield return ("UnreadableAsync", c => IdempotencyProblems.UnreadableAsync(c, Usual));
        foreach (IdempotencyStatus status in Enum.GetValues<IdempotencyStatus>())
            yield return ("AnswerAsync", c => IdempotencyProblems.AnswerAsync(c, Usual, ResultOf(status)));
    }

    private static IdempotencyResult ResultOf(IdempotencyStatus status) =>
        (IdempotencyResult)typeof(IdempotencyResult)
            .GetConstructor(BindingFlags.Instance | BindingFlags.NonPublic, [typeof(IdempotencyStatus)])!.Invoke([status]);

    private static async Task<string> SentAsync(Func<HttpContext, Task> write)
    {
        DefaultHttpContext context = new() { RequestServices = new ServiceCollection().AddLogging().BuildServiceProvider() };
        using MemoryStream body = new();
        context.Response.Body = body;
        await write(context);
        JsonElement sent = JsonDocument.Parse(body.ToArray()).RootElement;
        string wait = context.Response.Headers.RetryAfter is [{ } seconds] ? $", Retry-After {seconds}" : "";
        return $"{sent.GetProperty("status")} {sent.GetProperty("code")}{wait}: {sent.GetProperty("title")}. {sent.GetProperty("detail")}";
    }

    [Fact]
    public async Task Every_problem_is_reviewed()
    {
        List<string> lines = [];
        foreach ((_, Func<HttpContext, Task> write) in Problems()) lines.Add(await SentAsync(write));
        string written = string.Join("\n", lines.Distinct()) + "\n";
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1") System.IO.File.WriteAllText(File, written);
        System.IO.File.ReadAllText(File).ReplaceLineEndings("\n").Should().Be(
            written, "a problem has changed: read it, and accept it by running this test with RESILIENCE_ACCEPT_API=1");
        string[] all = [.. typeof(IdempotencyProblems).GetMethods(BindingFlags.Static | BindingFlags.NonPublic)
            .Where(m => m.IsAssembly && m.Name.EndsWith("Async", StringComparison.Ordinal)).Select(m => m.Name).Except(["WriteAsync", "ReplayAsync"])];
        Problems().Select(p => p.Method).Distinct().Should().BeEquivalentTo(all, "each is printed");
    }
}

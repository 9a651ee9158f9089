using System.Reflection;
using Microsoft.CodeAnalysis;

namespace Resilience.Migration.Tests;

/// <summary>Many programs, each a file with a namespace of its own, that are compiled, moved and loaded together: the compiler is what takes time.</summary>
internal sealed class Batch(IEnumerable<KeyValuePair<string, string>> programs)
{
    private readonly string[] _names = [.. programs.Select(p => p.Key)];
    private readonly Lazy<Task<(Compilation Before, Compilation After, Compilation Again, Assembly Then, Assembly Now)>> _moved = new(() => MoveAsync([.. programs.Select(p => p.Value)]));

    internal async Task<(Compilation Before, Compilation After, string TextBefore, string TextAfter, string TextAgain)> OfAsync(string name)
    {
        (Compilation before, Compilation after, Compilation again, _, _) = await _moved.Value;
        return (before, after, TextOf(before, name), TextOf(after, name), TextOf(again, name));
    }

    internal async Task<(IReadOnlyList<string> Before, IReadOnlyList<string> After)> RunAsync(string name, string script)
    {
        (_, _, _, Assembly then, Assembly now) = await _moved.Value;
        string type = $"Case{Array.IndexOf(_names, name)}.Shape";
        return (await Moving.RunAsync(then, type, script), await Moving.RunAsync(now, type, script));
    }

    private string TextOf(Compilation compilation, string name) => compilation.SyntaxTrees.Single(t => t.FilePath == $"File{Array.IndexOf(_names, name)}.cs").ToString();

    private static async Task<(Compilation, Compilation, Compilation, Assembly, Assembly)> MoveAsync(string[] sources)
    {
        Compilation before = Moving.Compile([.. sources.Select((s, i) => s.Replace("//namespace", $"namespace Case{i};", StringComparison.Ordinal))]);
        Moving.ErrorsOf(before).Should().BeEmpty();
        Compilation after = await Moving.MoveAsync(before);
        Moving.ErrorsOf(after).Should().BeEmpty();
        return (before, after, await Moving.MoveAsync(after), Moving.Load(before), Moving.Load(after));
    }
}

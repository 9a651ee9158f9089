namespace Resilience.Idempotency;

/// <summary>The scripts, one for each step. They are files of their own, to be read.</summary>
internal static class RedisScripts
{
    /// <summary>The format that the scripts write, and the newest that they read.</summary>
    internal const int NewestFormat = 2;

    private static readonly string Record = Read("record.lua");

    internal static string Acquire { get; } = Record + Read("acquire.lua");

    internal static string Renew { get; } = Record + Read("renew.lua");

    internal static string Complete { get; } = Record + Read("complete.lua");

    internal static string Release { get; } = Record + Read("release.lua");

    internal static string Resolve { get; } = Record + Read("resolve.lua");

    internal static string Peek { get; } = Record + Read("peek.lua");

    internal static string Format { get; } = Read("format.lua");

    internal static string Setup { get; } = Read("setup.lua");

    private static string Read(string name)
    {
        using Stream stream = typeof(RedisScripts).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The script {name} is missing in the assembly.");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}

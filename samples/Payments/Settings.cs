namespace Resilience.PaymentsSample;

/// <summary>What the processes are told: <c>--name value</c> pairs.</summary>
internal sealed class Settings(Dictionary<string, string> values)
{
    internal string Store => Get("store", "sqlite");

    internal string Connection => Get("connection", "");

    internal string Folder => Get("folder", "");

    internal int Port => int.Parse(Get("port", "0"), System.Globalization.CultureInfo.InvariantCulture);

    internal bool UsesKeys => Get("keys", "yes") == "yes";

    /// <summary>The service kills itself after this many charges; 0: never.</summary>
    internal int KillAfter => int.Parse(Get("kill-after", "0"), System.Globalization.CultureInfo.InvariantCulture);

    internal static Settings From(string[] args)
    {
        if (args.Length % 2 != 0 || args.Where((a, i) => i % 2 == 0 && !a.StartsWith("--", StringComparison.Ordinal)).Any())
            throw new ArgumentException("Say: [--store sqlite|postgresql|redis] [--connection <connection string>]");
        return new(Enumerable.Range(0, args.Length / 2).ToDictionary(i => args[2 * i][2..], i => args[(2 * i) + 1]));
    }

    internal string[] With(params (string Name, object Value)[] more)
    {
        Dictionary<string, string> all = new(values);
        foreach ((string name, object value) in more) all[name] = $"{value}";
        return [.. all.SelectMany(v => (string[])["--" + v.Key, v.Value])];
    }

    private string Get(string name, string otherwise) => values.GetValueOrDefault(name, otherwise);
}

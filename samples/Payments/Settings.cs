namespace Resilience.PaymentsSample;

/// <summary>The options of the processes: <c>--name value</c> pairs.</summary>
internal sealed class Settings(Dictionary<string, string> values)
{
    internal const string Usage = """
        A shop and a payment service, two processes. The network between them loses replies, and the payment service is killed right after
        it has charged a customer. Shown twice: without idempotency keys, and with them. It ends by itself, in about half a minute.

          --store sqlite|postgresql|redis   where the payment service keeps its keys (default: sqlite, a file that is deleted at the end)
          --connection <connection string>  of that server; needed for postgresql and redis
        """;

    private static readonly string[] Stores = ["sqlite", "postgresql", "redis"];

    // The story tells its two processes the others.
    private static readonly string[] Names = ["store", "connection", "folder", "port", "keys", "kill-after"];

    internal string Store => Get("store", "sqlite");

    internal string Connection => Get("connection", "");

    internal string Folder => Get("folder", "");

    internal int Port => int.Parse(Get("port", "0"), System.Globalization.CultureInfo.InvariantCulture);

    internal bool UsesKeys => Get("keys", "yes") == "yes";

    /// <summary>The service kills itself after this many charges; 0: never.</summary>
    internal int KillAfter => int.Parse(Get("kill-after", "0"), System.Globalization.CultureInfo.InvariantCulture);

    internal static Settings From(string[] args)
    {
        Dictionary<string, string> values = [];
        for (int i = 0; i < args.Length; i += 2)
        {
            string name = args[i].StartsWith("--", StringComparison.Ordinal) ? args[i][2..] : "";
            if (!Names.Contains(name)) throw new ArgumentException($"What does '{args[i]}' mean?");
            if (i + 1 == args.Length) throw new ArgumentException($"{args[i]} needs a value.");
            values[name] = args[i + 1];
        }

        Settings settings = new(values);
        if (!Stores.Contains(settings.Store)) throw new ArgumentException($"There is no store '{settings.Store}'.");
        if (settings.Store != "sqlite" && settings.Connection.Length == 0) throw new ArgumentException($"The store '{settings.Store}' needs a --connection.");
        return settings;
    }

    internal string[] With(params (string Name, object Value)[] more)
    {
        Dictionary<string, string> all = new(values);
        foreach ((string name, object value) in more) all[name] = $"{value}";
        return [.. all.SelectMany(v => (string[])["--" + v.Key, v.Value])];
    }

    private string Get(string name, string otherwise) => values.GetValueOrDefault(name, otherwise);
}

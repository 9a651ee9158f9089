namespace Resilience.ObservabilitySample;

/// <summary>The options of the command line.</summary>
internal sealed record Settings(bool Serves, string? Out)
{
    internal static bool TryRead(string[] args, out Settings settings)
    {
        settings = new(false, null);
        for (int i = 0; i < args.Length; i++)
        {
            if (args[i] == "--serve")
            {
                settings = settings with { Serves = true };
            }
            else if (args[i] == "--out" && i + 1 < args.Length)
            {
                settings = settings with { Out = args[++i] };
            }
            else
            {
                Console.Error.WriteLine($"'{args[i]}' is not understood. Say: [--serve] [--out FOLDER]");
                return false;
            }
        }

        return true;
    }
}

using Resilience.Extensibility;

namespace Resilience.Http;

/// <summary>Which requests a server is meant to hold open until it has something to say (SignalR long polling, a queue's receive), and for how
/// long. What is set is for the user of a client that makes its requests itself.</summary>
/// <remarks>
/// For such a request the total and the attempt timeout of the standard pipeline do not hold; <see cref="Timeout"/> does, in their place. That it was
/// up is our own limit on a request that is meant to be long, and no failure of the server: it is <see cref="Verdict.Ignored"/>, neither repeated nor
/// counted by a circuit. All other outcomes are judged as ever. In a pipeline of your own, timeouts can ask
/// <see cref="HttpRequestOverrides.LongPoll"/>.
/// </remarks>
public sealed class LongPollOptions
{
    internal static IReadOnlyList<PolicySetting> Settings { get; } = PolicySettings.For<LongPollOptions>()
        .Texts(nameof(Paths), static (o, paths) =>
        {
            foreach (string path in paths) o.Paths.Add(path);
        }, "Paths that begin with a slash, each with all that lies below it, such as /chat.")
        .Span(nameof(Timeout), null, static (o, v) => o.Timeout = v, TimeSpan.Zero, null,
            "The time that such a request has, from 1 ms to a day. Default: as long as the server likes.");

    /// <summary>Paths that are long polls, with all that lies below them: <c>/chat</c> is <c>/chat</c>, <c>/chat/1</c> and <c>/chat?id=1</c>, not
    /// <c>/chatter</c>. Each begins with a slash. Case does not matter. Default: none.</summary>
    public IList<string> Paths { get; } = [];

    /// <summary>Says that a request is a long poll, in addition to <see cref="Paths"/>. Called once for each request, on the thread of the caller; an
    /// exception means no. Default null.</summary>
    public Func<HttpRequestMessage, bool>? Matches { get; set; }

    /// <summary>The time that such a request has from sending to the headers of the answer, 1 ms to a day. Default null: as long as the server and
    /// the caller like.</summary>
    public TimeSpan? Timeout { get; set; }

    internal bool IsOne(HttpRequestMessage request)
    {
        if (Paths.Count > 0 && request.RequestUri is { IsAbsoluteUri: true } uri)
        {
            foreach (string path in Paths)
            {
                if (IsBelow(uri.AbsolutePath, path)) return true;
            }
        }

        if (Matches is null) return false;
        try
        {
            return Matches(request);
        }
        catch (Exception error)
        {
            HttpTelemetry.CallbackFailed("http LongPolls.Matches", error);
            return false;
        }
    }

    internal LongPollOptions Copy()
    {
        LongPollOptions copy = new() { Matches = Matches, Timeout = Timeout };
        foreach (string path in Paths) copy.Paths.Add(path);
        return copy;
    }

    internal void Check(OptionsCheck check)
    {
        if (Timeout is { } timeout) check.Span("LongPolls.Timeout", timeout, TimeSpan.FromMilliseconds(1));
        for (int i = 0; i < Paths.Count; i++)
            check.Require(Paths[i] is ['/', ..], $"LongPolls.Paths[{i}]", Paths[i], "a path that begins with a slash");
    }

    private static bool IsBelow(string path, string prefix)
    {
        ReadOnlySpan<char> root = prefix.AsSpan().TrimEnd('/');
        return path.AsSpan().StartsWith(root, StringComparison.OrdinalIgnoreCase) && (path.Length == root.Length || path[root.Length] == '/');
    }
}

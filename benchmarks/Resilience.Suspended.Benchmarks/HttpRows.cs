using Resilience.Http.Benchmarks;

namespace Resilience.Suspended.Benchmarks;

/// <summary>The questions about HTTP, over a network in memory.</summary>
internal static class HttpRows
{
    private const int Calls = 20_000;

    internal static IEnumerable<Row> All()
    {
        yield return Get("HTTP standard handler, GET, answered later", suspends: true);
        yield return Get("HTTP standard handler, GET, answered at once", suspends: false);
    }

    private static Row Get(string name, bool suspends)
    {
        HttpClient bare = Clients.Bare(() => new Memory(suspends, fails: false)), theirs = Clients.Microsoft(() => new Memory(suspends, fails: false)),
            ours = Clients.Ours(() => new Memory(suspends, fails: false));
        return new(name, Calls, calls => GetAsync(bare, calls), calls => GetAsync(theirs, calls), calls => GetAsync(ours, calls));
    }

    private static async Task GetAsync(HttpClient client, int calls)
    {
        for (int i = 0; i < calls; i++)
        {
            using HttpRequestMessage request = new(HttpMethod.Get, "/");
            using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        }
    }
}

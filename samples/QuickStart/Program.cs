using System.Diagnostics;
using Resilience;
using Resilience.Events;
using Resilience.QuickStart;

// A server that has a bad time, asked by two groups of customers at once: one with a bare HttpClient, one through a
// pipeline. Everything is real: Kestrel, HttpClient, sockets on loopback, time. It ends by itself.
await using FaultyServer server = await FaultyServer.StartAsync();
using HttpClient http = new() { BaseAddress = server.Address };
Stopwatch clock = Stopwatch.StartNew();
Story story = new(clock);

async Task<string> AskForPriceAsync(CancellationToken ct)
{
    story.Attempted();
    using HttpResponseMessage response = await http.GetAsync("/price", ct);
    response.EnsureSuccessStatusCode();
    return await response.Content.ReadAsStringAsync(ct);
}

// The circuit breaker is made first, to be shown in the account; a pipeline can also make its own.
CircuitBreaker breaker = new(new CircuitBreakerOptions
{
    Name = "price-circuit",
    FailureRatio = 0.5,
    MinimumCalls = 10,
    SamplingDuration = TimeSpan.FromSeconds(2),
    BreakDuration = TimeSpan.FromMilliseconds(500),
    MaxBreakDuration = TimeSpan.FromSeconds(2),
    Probes = 2,
    ProbeLease = TimeSpan.FromSeconds(1),
    OnChange = story.CircuitChanged,
});

ResiliencePipeline<string> pipeline = new ResiliencePipelineBuilder<string> { Name = "price" }
    .AddFallback(options => options.LastGood = LastGood<string>.Shared(TimeSpan.FromMinutes(1)))  // yesterday's price beats no price
    .AddTimeout(TimeSpan.FromSeconds(2))                                                            // the whole call
    .AddRetry(new RetryOptions { MaxRetries = 3, BaseDelay = TimeSpan.FromMilliseconds(50), MaxDelay = TimeSpan.FromMilliseconds(400) })
    .AddCircuitBreaker(breaker)
    .AddTimeout(TimeSpan.FromMilliseconds(250))                                                     // each attempt
    .OnEvent(story.Heard)
    .Build();

story.Say(pipeline.Describe().ToString());
story.Say("");

Customers bare = new("bare HttpClient", async ct => (await http.GetStringAsync("/price", ct), false), clock);
Customers wrapped = new("with Resilience", async ct =>
{
    bool isStale = false;
    string price = await pipeline.ExecuteAsync(
        new CallOptions("price"),
        async (context, _) => await AskForPriceAsync(context.CancellationToken),
        0,
        ct);
    isStale = story.WasStale(price);
    return (price, isStale);
}, clock);

TimeSpan length = TimeSpan.FromSeconds(13);
Task asking = Task.WhenAll(bare.RunAsync(length), wrapped.RunAsync(length));
(double At, Mood Mood, string What)[] script =
[
    (0.0, Mood.Healthy, "the server is healthy"),
    (3.0, Mood.Rejecting, "the server answers 503"),
    (5.0, Mood.Hanging, "the server hangs"),
    (7.0, Mood.LosingReplies, "the server does the work and loses the replies"),
    (8.5, Mood.Healthy, "the server has recovered"),
];
using PeriodicTimer tick = new(TimeSpan.FromMilliseconds(500));
int next = 0;
while (!asking.IsCompleted)
{
    while (next < script.Length && clock.Elapsed.TotalSeconds >= script[next].At)
    {
        server.Mood = script[next].Mood;
        story.ServerChanged(script[next].What);
        next++;
    }

    await Task.WhenAny(asking, tick.WaitForNextTickAsync().AsTask());
    story.Report(breaker.State);
}

await asking;
story.Draw(script, length, [bare, wrapped]);
story.Summarise([bare, wrapped], server);

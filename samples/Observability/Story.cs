using System.Net.Http.Json;

namespace Resilience.ObservabilitySample;

/// <summary>Starts both services, gives them a bad time, and shows what can be seen.</summary>
internal sealed class Story(ServiceProcess shop, ServiceProcess payments, string folder) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly HttpClient _customer = new() { BaseAddress = new(shop.Url) };
    private readonly HttpClient _operator = new() { BaseAddress = new(payments.Url) };
    private string _awaited = "an answer";

    internal static async Task<int> TellAsync(Settings settings)
    {
        string folder = settings.Out is { } given ? Directory.CreateDirectory(given).FullName : Directory.CreateTempSubdirectory("resilience-observability")
            .FullName;
        foreach (string old in Directory.EnumerateFiles(folder, "*.jsonl")) File.Delete(old);
        using CancellationTokenSource limit = new(Patience);
        using ServiceProcess payments = ServiceProcess.Start("payments", folder);
        using ServiceProcess shop = ServiceProcess.Start("shop", folder, payments.Url);
        await payments.UntilListeningAsync(limit.Token);
        await shop.UntilListeningAsync(limit.Token);
        using Story story = new(shop, payments, folder);
        try
        {
            await story.TellAsync(limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            Console.Error.WriteLine($"Not seen within {Patience.TotalSeconds} seconds: {story._awaited}. What there is: {folder}");
            return 1;
        }

        if (settings.Serves) await story.ServeAsync();
        return 0;
    }

    private async Task TellAsync(CancellationToken limit)
    {
        Console.WriteLine(
            "1. The reply of a charge is lost. One trace over both services: two attempts, one operation, and the second is answered with the first receipt.");
        await BeginAsync(new(RepliesToLose: 1, SlowPrices: 0, IsDown: false), limit);
        Trace charge = await TraceOfAsync(await _customer.PostAsync("/orders/1001", null, limit), t => Shows(t, 2, "attempt 1 failed", "replayed"), limit);
        Console.WriteLine(charge);

        Console.WriteLine("2. A price is slow. After 100 ms a second attempt is sent beside the first; the faster one wins, the slower one is cancelled.");
        await BeginAsync(new(RepliesToLose: 0, SlowPrices: 1, IsDown: false), limit);
        Trace price = await TraceOfAsync(await _customer.GetAsync("/prices/book", limit), t => Shows(t, 2, "hedged attempt 2 started"), limit);
        Console.WriteLine(price);

        Console.WriteLine(
            "3. A rehearsal: the chaos switch of the prices is turned on, half of the connections are rejected on purpose, and the trace says so.");
        (await _customer.PostAsync("/rehearsal", null, limit)).EnsureSuccessStatusCode().Dispose();
        Trace rehearsed = await UntilAsync("resilience.chaos", n => _customer.GetAsync($"/prices/book-{n}", limit), limit);
        (await _customer.DeleteAsync("/rehearsal", limit)).EnsureSuccessStatusCode().Dispose();
        Console.WriteLine(rehearsed);

        Console.WriteLine("4. The payment service goes down. Retries, then an open circuit; the trace of a rejected call says why.");
        await BeginAsync(new(RepliesToLose: 0, SlowPrices: 0, IsDown: true), limit);
        Trace rejected = await UntilAsync("resilience.rejected", n => _customer.PostAsync($"/orders/{2000 + n}", null, limit), limit);
        Console.WriteLine(rejected);
        await SaveAsync("shop-outage", shop.Url, limit);

        await BeginAsync(new(RepliesToLose: 0, SlowPrices: 0, IsDown: false), limit);
        await UntilBoughtAsync(limit);
        Console.WriteLine("5. It comes back, a probe finds out, the circuit closes. What Prometheus reads:");
        await SaveAsync("shop", shop.Url, limit);
        await SaveAsync("payments", payments.Url, limit);
        Summarise();
    }

    /// <summary>Both attempts are in the same trace, in both services, and the logs know its id.</summary>
    private static bool Shows(Trace trace, int attempts, string logged, string? answer = null) =>
        trace.Spans.Count(s => s.Tags.ContainsKey("resilience.attempt")) == attempts && trace.Spans.Any(s => s.Service == "payments")
        && trace.LogLines.Any(l => l.Contains(logged, StringComparison.Ordinal))
        && (answer is null || trace.Spans.Any(s => s.Events.Any(e => e.Tags.ContainsValue(answer))));

    /// <summary>Asks until it sees a trace with such an event.</summary>
    private async Task<Trace> UntilAsync(string happened, Func<int, Task<HttpResponseMessage>> ask, CancellationToken limit)
    {
        for (int n = 1; ; n++)
        {
            Trace trace = await TraceOfAsync(await ask(n), t => t.IsWhole, limit);
            if (trace.Spans.Any(s => s.Events.Any(e => e.Name == happened))) return trace;
        }
    }

    private async Task UntilBoughtAsync(CancellationToken limit)
    {
        while (true)
        {
            using HttpResponseMessage response = await _customer.PostAsync("/orders/3001", null, limit);
            if (response.IsSuccessStatusCode) return;
            await Task.Delay(100, limit);
        }
    }

    private async Task BeginAsync(Faults faults, CancellationToken limit) =>
        (await _operator.PostAsJsonAsync("/faults", faults, limit)).EnsureSuccessStatusCode().Dispose();

    /// <summary>Waits until the trace shows what it is about: spans end after the answer was sent, and a busy machine writes its logs late.</summary>
    private async Task<Trace> TraceOfAsync(HttpResponseMessage response, Func<Trace, bool> isThere, CancellationToken limit)
    {
        using (response)
        {
            string id = response.Headers.GetValues("Trace-Id").Single();
            _awaited = $"the whole of trace {id}";
            while (true)
            {
                Trace trace = new(id, folder);
                if (trace.IsWhole && isThere(trace)) return trace;
                await Task.Delay(50, limit);
            }
        }
    }

    private async Task SaveAsync(string name, string url, CancellationToken limit)
    {
        using HttpClient scraper = new();
        await File.WriteAllTextAsync(Path.Combine(folder, $"{name}.metrics.txt"), await scraper.GetStringAsync($"{url}/metrics", limit), limit);
    }

    private void Summarise()
    {
        foreach (string name in (string[])["shop", "payments"])
        {
            foreach (string line in File.ReadLines(Path.Combine(folder, $"{name}.metrics.txt")).Where(IsTelling)) Console.WriteLine($"   {name}: {line}");
        }

        Console.WriteLine();
        Console.WriteLine($"Spans, logs and metrics: {folder}");
    }

    private static bool IsTelling(string line) =>
        line.StartsWith("resilience_", StringComparison.Ordinal) && !line.Contains("_bucket", StringComparison.Ordinal)
            && !line.Contains("_sum", StringComparison.Ordinal);

    /// <summary>Traffic with a bad minute now and then, until it is stopped.</summary>
    private async Task ServeAsync()
    {
        using CancellationTokenSource stop = new();
        Console.CancelKeyPress += (_, press) =>
        {
            press.Cancel = true;
            stop.Cancel();
        };
        Console.WriteLine($"Live page: {shop.Url}/resilience   metrics: {shop.Url}/metrics and {payments.Url}/metrics   (Ctrl+C ends it)");
        try
        {
            for (int n = 0; ; n++)
            {
                if (n % 600 == 0) await BeginAsync(new(RepliesToLose: 20, SlowPrices: 40, IsDown: n % 1200 == 600), stop.Token);
                if (n % 600 == 150) await BeginAsync(new(0, 0, false), stop.Token);
                (await _customer.PostAsync($"/orders/{n}", null, stop.Token)).Dispose();
                (await _customer.GetAsync("/prices/book", stop.Token)).Dispose();
                await Task.Delay(50, stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // it was stopped
        }
    }

    public void Dispose()
    {
        _customer.Dispose();
        _operator.Dispose();
    }
}

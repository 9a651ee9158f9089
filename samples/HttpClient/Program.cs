using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Resilience;
using Resilience.Http;
using Resilience.HttpClientSample;

// A shop charges its customers through a payment service that loses replies, goes down and comes back, while an operator edits
// appsettings.json. Everything is real: Kestrel, IHttpClientFactory, the file and its watcher. It ends by itself.
await using PaymentsServer server = await PaymentsServer.StartAsync();

string folder = AppContext.BaseDirectory, file = Path.Combine(folder, "appsettings.json");
string original = await File.ReadAllTextAsync(file);
HostApplicationBuilder builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { ContentRootPath = folder, DisableDefaults = true });
builder.Configuration.AddJsonFile("appsettings.json", optional: false, reloadOnChange: true);
builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
ConsoleLog log = new();
builder.Logging.AddProvider(log);

builder.Services.AddHttpClient<PaymentsClient>("payments", http => http.BaseAddress = server.Address)
    .AddIdempotencyKey()                                                // a POST gets a name, so that it may be repeated
    .AddStandardResilience("Resilience:HttpClients:payments");          // the numbers stand in appsettings.json and are followed live

using IHost host = builder.Build();
await host.StartAsync();                                                // wrong settings would stop here, all of them in one message
PaymentsClient payments = host.Services.GetRequiredService<PaymentsClient>();
HttpResilience resilience = host.Services.GetRequiredKeyedService<HttpResilience>("payments");
HttpAuthority authority = resilience.For(server.Address);

Say("1. The reply is lost twice. The operation was done; the same key is sent again, and the first receipt comes back.");
server.LoseReplies(2);
Receipt receipt = await payments.ChargeAsync(new("book", 1999));
Say($"   receipt {receipt.Number} for the {receipt.Item}; {server.Requests} requests, {server.Charges} charge");

Say("2. The service goes down. Retries are tried, then the circuit opens and callers are rejected at once, with a time to retry.");
server.IsDown = true;
int before = server.Requests;
for (int i = 0; i < 5; i++) await TryAsync();
Say($"   circuit {authority.CircuitBreaker!.State}; {server.Requests - before} requests reached the service for 5 calls");

Say("3. An operator edits appsettings.json in the middle of it: the new numbers are in force, and the circuit stays open.");
await EditAsync(node => node["AttemptTimeout"] = "00:00:00.500");
await UntilAsync(() => log.HasWritten("ReloadApplied"));
Say($"   attempt timeout {AttemptTimeout()}, circuit {authority.CircuitBreaker.State}");

Say("4. And makes a mistake: the last good numbers stay, and the log says why.");
await EditAsync(node => node["AttemptTimeot"] = "00:00:09");
await UntilAsync(() => log.HasWritten("ReloadRejected"));
Say($"   attempt timeout {AttemptTimeout()}, circuit {authority.CircuitBreaker.State}");

Say("5. The service comes back. A probe finds out, and the circuit closes.");
server.IsDown = false;
await UntilAsync(() => authority.CircuitBreaker.State == CircuitState.HalfOpen || authority.CircuitBreaker.TakeSnapshot().RetryAfter is null);
receipt = await payments.ChargeAsync(new("lamp", 4900));
Say($"   receipt {receipt.Number} for the {receipt.Item}; circuit {authority.CircuitBreaker.State}; {server.Charges} charges in all");

await host.StopAsync();
host.Dispose();                                                         // nothing follows the file any more
await File.WriteAllTextAsync(file, original);
return server.Charges == 2 ? 0 : 1;

async Task TryAsync()
{
    try
    {
        await payments.ChargeAsync(new("pen", 150));
    }
    catch (HttpResilienceException rejected)
    {
        string attempts = rejected.Attempts.Count == 0 ? "nothing was sent" : $"{rejected.Attempts.Count} attempts: {string.Join(", ", rejected.Attempts)}";
        Say($"   rejected by the {rejected.Rejection?.PolicyName}, try again in {rejected.RetryAfter?.TotalSeconds:0.0} s; {attempts}");
    }
    catch (HttpRequestException failed)
    {
        Say($"   failed: {failed.StatusCode}");
    }
}

TimeSpan? AttemptTimeout() => resilience.Describe().Policies[^1].Timeout;

async Task EditAsync(Action<JsonNode> edit)
{
    JsonNode settings = JsonNode.Parse(await File.ReadAllTextAsync(file))!;
    edit(settings["Resilience"]!["HttpClients"]!["payments"]!);
    await File.WriteAllTextAsync(file, settings.ToString());
}

async Task UntilAsync(Func<bool> holds)
{
    for (int i = 0; i < 200 && !holds(); i++) await Task.Delay(50);
}

static void Say(string text) => Console.WriteLine(text);

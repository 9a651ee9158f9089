using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests.Deadlines;

/// <summary>What is measured of requests is what docs/telemetry.md says.</summary>
public sealed class RequestTelemetryTests
{
    [Fact]
    public async Task Each_instrument_and_attribute_stands_in_the_table()
    {
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            app.UseRequestDeadlines();
            app.MapGet("/", static () => "well");
            app.MapGet("/said", static (HttpContext context) =>
            {
                context.SetDoNotRetry();
                return Results.StatusCode(503);
            });
        });
        ConcurrentBag<(Instrument Instrument, string Tags)> heard = [];
        IMeterFactory factory = shop.Services.GetRequiredService<IMeterFactory>();
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, factory)) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => heard.Add((instrument, Text(tags))));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => heard.Add((instrument, Text(tags))));
        listener.Start();
        await shop.SendAsync("/", key: null, method: "GET", change: static r => r.Headers.Add("X-Request-Timeout-Ms", "0"));
        await shop.SendAsync("/said", key: null, method: "GET", change: static r => r.Headers.Add("X-Request-Timeout-Ms", "soon"));
        heard.Where(static h => h.Instrument.Name.StartsWith("resilience.d", StringComparison.Ordinal)).Select(static h => $"{h.Instrument.Name} {h.Tags}")
            .Should().BeEquivalentTo(
                "resilience.deadline.remaining ",
                "resilience.deadline.expired resilience.deadline.stage=arrival",
                "resilience.deadline.malformed resilience.deadline.header=X-Request-Timeout-Ms",
                "resilience.do_not_retry resilience.direction=sent;resilience.reason=deadline",
                "resilience.do_not_retry resilience.direction=sent;resilience.reason=said");
        string page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "telemetry.md"));
        foreach ((Instrument instrument, string tags) in heard.Where(static h => h.Instrument.Name.StartsWith("resilience.d", StringComparison.Ordinal)))
        {
            string row = page.Split('\n').Single(l => l.StartsWith($"| `{instrument.Name}` |", StringComparison.Ordinal));
            row.Should().Contain($"`{instrument.Unit}`");
            foreach (string tag in tags.Split(';', StringSplitOptions.RemoveEmptyEntries)) row.Should().Contain($"`{tag.Split('=')[0]}`");
        }
    }

    private static string Text(ReadOnlySpan<KeyValuePair<string, object?>> tags) => string.Join(';', tags.ToArray().Select(static t => $"{t.Key}={t.Value}"));
}

using System.Net.Http.Json;

namespace Resilience.HttpClientSample;

/// <summary>An ordinary typed client: nothing in it knows of resilience.</summary>
internal sealed class PaymentsClient(HttpClient http)
{
    public async Task<Receipt> ChargeAsync(Order order, CancellationToken cancellationToken = default)
    {
        using HttpResponseMessage response = await http.PostAsJsonAsync("/charges", order, cancellationToken);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<Receipt>(cancellationToken))!;
    }
}

internal sealed record Order(string Item, int Cents);

internal sealed record Receipt(int Number, string Item);

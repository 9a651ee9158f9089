using System.ClientModel.Primitives;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;

namespace Resilience.Tests.Sdks;

/// <summary>Keys of requests that an SDK sends by its pipeline: the same rule for each of them.</summary>
public sealed class KeyTests
{
    /// <summary>The SDK, the header in which its service looks, the key that the caller has given and in which header, and what is sent how often.</summary>
    public static TheoryData<string, string?, string?, string?, string?, int> Rows
    {
        get
        {
            TheoryData<string, string?, string?, string?, string?, int> rows = [];
            foreach (string sdk in new[] { "Azure", "ClientModel" })
            {
                rows.Add(sdk, null, null, null, null, 1);
                rows.Add(sdk, null, "Idempotency-Key", "mine", "mine", 4);
                rows.Add(sdk, "X-Key", null, null, "made", 4);
                rows.Add(sdk, "X-Key", "X-Key", "mine", "mine", 4);
                rows.Add(sdk, "X-Key", "X-Key", " ", "made", 4);
                rows.Add(sdk, "X-Key", "Idempotency-Key", "mine", null, 4);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_POST_is_repeated_under_the_callers_key_or_one_that_was_made_and_sent_once_without(
        string sdk, string? keyHeader, string? given, string? key, string? sent, int requests)
    {
        await using Service service = await Service.OpenAsync();
        service.KeyHeader = keyHeader ?? "Idempotency-Key";

        await PostAsync(sdk, service.Address, keyHeader, given, key);

        service.Count.Should().Be(requests);
        string?[] keys = [.. service.Requests.Select(r => r.Key).Distinct()];
        keys.Should().ContainSingle("each attempt has the same");
        if (sent == "made") Guid.TryParse(keys[0], out _).Should().BeTrue();
        else keys[0].Should().Be(sent);
    }

    private static async Task PostAsync(string sdk, Uri address, string? keyHeader, string? given, string? key)
    {
        if (sdk == "Azure")
        {
            HttpPipeline pipeline = HttpPipelineBuilder.Build(new BlobClientOptions().UseResilience(AtOnce, keyHeader: keyHeader));
            using HttpMessage message = pipeline.CreateMessage();
            message.Request.Method = RequestMethod.Post;
            message.Request.Uri.Reset(address);
            message.Request.Content = RequestContent.Create("{}");
            if (given is not null) message.Request.Headers.SetValue(given, key!);
            await pipeline.SendAsync(message, default);
        }
        else
        {
            ClientPipeline pipeline = ClientPipeline.Create(new ClientPipelineOptions().UseResilience(AtOnce, keyHeader: keyHeader));
            using PipelineMessage message = pipeline.CreateMessage();
            message.Request.Method = "POST";
            message.Request.Uri = address;
            if (given is not null) message.Request.Headers.Set(given, key!);
            await pipeline.SendAsync(message);
        }
    }

    private static void AtOnce(Http.StandardResilienceOptions options)
    {
        options.Retry!.BaseDelay = TimeSpan.Zero;
        options.Retry.MaxDelay = TimeSpan.Zero;
    }
}

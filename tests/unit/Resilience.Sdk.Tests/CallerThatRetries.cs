using System.ClientModel.Primitives;
using Amazon.Runtime;
using Amazon.S3;
using Anthropic;
using Azure.Storage.Blobs;
using Google.Apis.Http;
using Google.Apis.Util;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Tests.Sdks;

/// <summary>A library above a service that repeats requests by itself, as its package does it.</summary>
/// <param name="Name">As the page has it.</param>
/// <param name="Package">By whose version the row holds.</param>
/// <param name="Mark">The header by which it could be told not to.</param>
/// <param name="Value">What that header says.</param>
/// <param name="CallAsync">One call, which fails.</param>
internal sealed record CallerThatRetries(string Name, string Package, string Mark, string Value, Func<Uri, Task> CallAsync)
{
    private const string Ours = "X-Should-Retry", No = "false";

    /// <summary>Whether it speaks HTTP/2 without TLS.</summary>
    internal bool IsGrpc => Package.StartsWith("Grpc.", StringComparison.Ordinal);

    internal static readonly CallerThatRetries[] All =
    [
        new("AWS SDK", "AWSSDK.S3", Ours, No, AwsAsync),
        new("Azure.Core", "Azure.Storage.Blobs", Ours, No, AzureAsync),
        new("Stripe.net", "Stripe.net", "Stripe-Should-Retry", No, StripeAsync),
        new("OpenAI", "OpenAI", Ours, No, OpenAiAsync),
        new("Anthropic", "Anthropic", Ours, No, AnthropicAsync),
        new("Google.Apis", "Google.Apis.Core", Ours, No, GoogleAsync),
        new("Microsoft.Extensions.Http.Resilience", "Microsoft.Extensions.Http.Resilience", Ours, No, MicrosoftAsync),
        new("gRPC with a service config", "Grpc.Net.Client", "grpc-retry-pushback-ms", "-1", GrpcAsync),
    ];

    private static async Task AwsAsync(Uri address)
    {
        using AmazonS3Client s3 = new(new BasicAWSCredentials("a", "b"), new AmazonS3Config
        {
            ServiceURL = address.ToString(),
            ForcePathStyle = true,
            MaxErrorRetry = 1,
            AuthenticationRegion = "eu-west-1",
        });
        await s3.GetObjectMetadataAsync("bucket", "key");
    }

    private static Task AzureAsync(Uri address)
    {
        BlobClientOptions options = new();
        options.Retry.MaxRetries = 1;
        options.Retry.Delay = options.Retry.MaxDelay = TimeSpan.FromMilliseconds(1);
        return new BlobContainerClient(new Uri(address, "account/container"), options).GetPropertiesAsync();
    }

    private static async Task StripeAsync(Uri address)
    {
        using HttpClient http = new();
        Stripe.StripeClient stripe = new(
            "sk_test_1", httpClient: new Stripe.SystemNetHttpClient(http, maxNetworkRetries: 1), apiBase: address.ToString().TrimEnd('/'));
        await new Stripe.ChargeService(stripe).CreateAsync(new() { Amount = 100, Currency = "eur", Source = "tok_visa" });
    }

    private static Task OpenAiAsync(Uri address) =>
        Sdk.OpenAi(address, static o => o.RetryPolicy = new ClientRetryPolicy(maxRetries: 1)).CompleteChatAsync("hello");

    private static async Task AnthropicAsync(Uri address)
    {
        using AnthropicClient client = new() { BaseUrl = address.ToString().TrimEnd('/'), ApiKey = "key", MaxRetries = 1 };
        await client.Models.List();
    }

    /// <summary>As the services of Google make it by default, with one retry.</summary>
    private static async Task GoogleAsync(Uri address)
    {
        CreateHttpClientArgs args = new();
        args.Initializers.Add(new ExponentialBackOffInitializer(
            ExponentialBackOffPolicy.UnsuccessfulResponse503, static () => new BackOffHandler(new ExponentialBackOff(TimeSpan.FromMilliseconds(1), 1))));
        using ConfigurableHttpClient http = new Google.Apis.Http.HttpClientFactory().CreateHttpClient(args);
        (await http.GetAsync(address)).EnsureSuccessStatusCode();
    }

    private static async Task MicrosoftAsync(Uri address)
    {
        ServiceCollection services = new();
        services.AddHttpClient("microsoft").AddStandardResilienceHandler(static o =>
        {
            o.Retry.MaxRetryAttempts = 1;
            o.Retry.Delay = TimeSpan.FromMilliseconds(1);
        });
        await using ServiceProvider provider = services.BuildServiceProvider();
        (await provider.GetRequiredService<System.Net.Http.IHttpClientFactory>().CreateClient("microsoft").GetAsync(address)).EnsureSuccessStatusCode();
    }

    private static async Task GrpcAsync(Uri address)
    {
        using GrpcChannel channel = GrpcChannel.ForAddress(address, new()
        {
            ServiceConfig = new()
            {
                MethodConfigs =
                {
                    new()
                    {
                        Names = { MethodName.Default },
                        RetryPolicy = new()
                        {
                            MaxAttempts = 2,
                            InitialBackoff = TimeSpan.FromMilliseconds(1),
                            MaxBackoff = TimeSpan.FromMilliseconds(1),
                            BackoffMultiplier = 1,
                            RetryableStatusCodes = { StatusCode.Unavailable },
                        },
                    },
                },
            },
        });
        Marshaller<byte[]> bytes = Marshallers.Create(static b => b, static b => b);
        await channel.CreateCallInvoker().AsyncUnaryCall(new Method<byte[], byte[]>(MethodType.Unary, "service", "method", bytes, bytes), null, default, []);
    }
}

using System.ClientModel;
using System.ClientModel.Primitives;
using Amazon.Runtime;
using Amazon.S3;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Kiota.Abstractions;
using Microsoft.Kiota.Abstractions.Authentication;
using Microsoft.Kiota.Http.HttpClientLibrary;
using Microsoft.Kiota.Http.HttpClientLibrary.Middleware.Options;
using OpenAI;
using OpenAI.Chat;
using Stripe;

namespace Resilience.Tests.Sdks;

/// <summary>A call by a real SDK, over a client of ours or with a pipeline of ours in the place of its retry.</summary>
internal static class Sdk
{
    /// <summary>A client as an application has it, with no time between attempts.</summary>
    internal static HttpClient Client(Uri address, Action<StandardResilienceOptions>? configure = null, List<string>? log = null, bool addsKey = false)
    {
        ServiceCollection services = new();
        if (log is not null) services.AddLogging(b => b.AddProvider(new Lines(log)));
        IHttpClientBuilder client = services.AddHttpClient("sdk", c => c.BaseAddress = address);
        if (addsKey) client.AddIdempotencyKey();
        client.AddStandardResilience(o =>
        {
            o.Retry!.BaseDelay = TimeSpan.Zero;
            configure?.Invoke(o);
        });
        return services.BuildServiceProvider().GetRequiredService<IHttpClientFactory>().CreateClient("sdk");
    }

    internal static Func<Task> S3Get(Uri address, HttpClient client, int maxRetries = 2)
    {
        AmazonS3Client s3 = new(new BasicAWSCredentials("a", "b"), new AmazonS3Config
        {
            ServiceURL = address.ToString(),
            ForcePathStyle = true,
            HttpClientFactory = new Over(client),
            MaxErrorRetry = maxRetries,
            AuthenticationRegion = "eu-west-1",
        });
        return async () => (await s3.GetObjectMetadataAsync("bucket", "key")).Should().NotBeNull();
    }

    internal static Func<Task> BlobGet(Uri address, HttpClient client)
    {
        BlobClientOptions options = new() { Transport = new HttpClientTransport(client) };
        options.Retry.MaxRetries = 3; // as Azure.Core has it; storage has five
        options.Retry.Delay = options.Retry.MaxDelay = TimeSpan.FromMilliseconds(1);
        BlobContainerClient blobs = new(new Uri(address, "account/container"), options);
        return () => blobs.GetPropertiesAsync();
    }

    internal static Func<Task> StripeCharge(Uri address, HttpClient client)
    {
        StripeClient stripe = new("sk_test_1", httpClient: new SystemNetHttpClient(client, maxNetworkRetries: 2), apiBase: address.ToString().TrimEnd('/'));
        return () => new ChargeService(stripe).CreateAsync(new() { Amount = 100, Currency = "eur", Source = "tok_visa" });
    }

    /// <summary>Its handlers above ours, as in <c>KiotaClientFactory</c>; one retry, because it waits for whole seconds.</summary>
    internal static Func<Task> KiotaGet(Uri address, ResilienceHttpHandler handler)
    {
        HttpClientRequestAdapter adapter = new(
            new AnonymousAuthenticationProvider(), httpClient: KiotaClientFactory.Create(handler, [new RetryHandlerOption { MaxRetry = 1, Delay = 1 }]));
        return () =>
            adapter.SendPrimitiveAsync<Stream>(new RequestInformation(Method.GET, new Uri(address, "items").ToString(), new Dictionary<string, object>()));
    }

    internal static ChatClient OpenAi(Uri address, Action<OpenAIClientOptions> configure)
    {
        OpenAIClientOptions options = new() { Endpoint = address };
        configure(options);
        return new("gpt", new ApiKeyCredential("key"), options);
    }

    internal const string Completion = """
        {"id":"1","object":"chat.completion","created":1,"model":"gpt","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}
        """;

    private sealed class Over(HttpClient client) : Amazon.Runtime.HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => client;
    }

    private sealed class Lines(List<string> log) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            lock (log) log.Add($"{eventId.Name}: {formatter(state, exception)}");
        }

        public void Dispose()
        {
        }
    }
}

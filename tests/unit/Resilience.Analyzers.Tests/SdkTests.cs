namespace Resilience.Analyzers.Tests;

/// <summary>A client with retries or keys of its own, and the SDK that retries above it. The types of the SDKs are told by their full names.</summary>
public sealed class SdkTests
{
    /// <summary>As much of them as the rule looks at.</summary>
    internal const string Sdks = """
        namespace Azure.Core.Pipeline
        {
            public abstract class HttpPipelinePolicy;
            public abstract class HttpPipelineTransport;
            public class HttpClientTransport(HttpMessageInvoker client) : HttpPipelineTransport;
            public class RetryPolicy(int maxRetries = 3) : HttpPipelinePolicy;
            public class KeyPolicy : HttpPipelinePolicy;
        }
        namespace Azure.Core
        {
            using Azure.Core.Pipeline;
            public enum HttpPipelinePosition { PerCall, PerRetry, BeforeTransport }
            public class RetryOptions { public int MaxRetries { get; set; } = 3; public TimeSpan Delay { get; set; } }
            public class DiagnosticsOptions { public bool IsLoggingEnabled { get; set; } }
            public abstract class ClientOptions
            {
                public HttpPipelineTransport Transport { get; set; } = null!;
                public RetryOptions Retry { get; } = new();
                public DiagnosticsOptions Diagnostics { get; } = new();
                public HttpPipelinePolicy? RetryPolicy { get; set; }
                public void AddPolicy(HttpPipelinePolicy policy, HttpPipelinePosition position) { }
            }
        }
        namespace Azure.Storage.Blobs
        {
            public class BlobClientOptions(int version = 1) : Azure.Core.ClientOptions;
            public class BlobServiceClient(Uri uri, BlobClientOptions? options = null);
        }
        namespace System.ClientModel.Primitives
        {
            public abstract class PipelinePolicy;
            public class KeyPolicy : PipelinePolicy;
            public abstract class PipelineTransport;
            public class HttpClientPipelineTransport(HttpClient client) : PipelineTransport;
            public class ClientRetryPolicy(int maxRetries = 3) : PipelinePolicy;
            public enum PipelinePosition { PerCall, PerTry, BeforeTransport }
            public class ClientPipelineOptions
            {
                public PipelineTransport? Transport { get; set; }
                public PipelinePolicy? RetryPolicy { get; set; }
                public TimeSpan? NetworkTimeout { get; set; }
                public void AddPolicy(PipelinePolicy policy, PipelinePosition position) { }
            }
        }
        namespace OpenAI
        {
            public class OpenAIClientOptions : System.ClientModel.Primitives.ClientPipelineOptions { public Uri? Endpoint { get; set; } }
            public class OpenAIClient(string credential, OpenAIClientOptions options);
        }
        namespace Amazon.Runtime
        {
            public interface IClientConfig;
            public abstract class HttpClientFactory { public abstract HttpClient CreateHttpClient(IClientConfig config); }
            public abstract class ClientConfig : IClientConfig
            {
                public HttpClientFactory? HttpClientFactory { get; set; }
                public int MaxErrorRetry { get; set; }
                public string? ServiceURL { get; set; }
            }
        }
        namespace Amazon.S3
        {
            public class AmazonS3Config : Amazon.Runtime.ClientConfig;
            public class AmazonS3Client(AmazonS3Config config);
        }
        """;

    private const string Usings = """
        using Azure.Core; using Azure.Core.Pipeline; using Azure.Storage.Blobs; using OpenAI; using System.ClientModel.Primitives; using Amazon.Runtime; using Amazon.S3;

        """;

    private const string Registered = "void Register(IServiceCollection services) => services.AddHttpClient(\"sdk\").AddIdempotencyKey().AddStandardResilience(); ";

    private static Task CheckAsync(string members, string registered = Registered, string more = "") => Analysis.CheckWithAsync(
        Sdks,
        "RES111",
        Usings + Analysis.InClass(registered + "static void Configure(object o) { } static readonly Uri Where = new(\"https://a\"); static int Some => Environment.ProcessId; " + members) + more);

    private static string Azure(string statements) => $"BlobServiceClient Make(IHttpClientFactory f) {{ {statements} }}";

    private static string OpenAI(string statements) => $"OpenAIClient Make(IHttpClientFactory f) {{ {statements} }}";

    [Theory]
    [InlineData("return new(Where, new BlobClientOptions { Transport = [|new HttpClientTransport(f.CreateClient(\"sdk\"))|] });")]
    [InlineData("var o = new BlobClientOptions(); o.Transport = [|new HttpClientTransport(f.CreateClient(\"sdk\"))|]; return new(Where, o);")]
    [InlineData("BlobClientOptions o = new(2) { Diagnostics = { IsLoggingEnabled = true } }; HttpClient c = f.CreateClient(\"sdk\"); var t = [|new HttpClientTransport(c)|]; o.Transport = t; return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = [|new HttpClientTransport(f.CreateClient(\"sdk\"))|], Retry = { MaxRetries = 5 } }; return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = [|new HttpClientTransport(f.CreateClient(\"sdk\"))|] }; o.Retry.Delay = TimeSpan.FromSeconds(1); return new BlobServiceClient(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = [|new HttpClientTransport(f.CreateClient(\"sdk\"))|], RetryPolicy = new Azure.Core.Pipeline.RetryPolicy(maxRetries: 2) }; return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = [|new HttpClientTransport(f.CreateClient(\"sdk\"))|] }; o.AddPolicy(new KeyPolicy2(), HttpPipelinePosition.PerRetry); return new(Where, o);")]
    [InlineData("var h = new IdempotencyKeyHandler { InnerHandler = new SocketsHttpHandler() }; return new(Where, new BlobClientOptions { Transport = [|new HttpClientTransport(new HttpClient(h))|] });")]
    [InlineData("return new(Where, new BlobClientOptions { Transport = [|new HttpClientTransport(new HttpClient(new IdempotencyKeyHandler { InnerHandler = new SocketsHttpHandler() }))|] });")]
    public Task A_client_below_the_retries_of_azure_is_reported(string statements) => CheckAsync(Azure(statements), more: "public class KeyPolicy2 : Azure.Core.Pipeline.HttpPipelinePolicy;");

    [Theory]
    [InlineData("return new(\"\", new OpenAIClientOptions { Transport = [|new HttpClientPipelineTransport(f.CreateClient(\"sdk\"))|] });")]
    [InlineData("var o = new OpenAIClientOptions(); o.Endpoint = Where; o.NetworkTimeout = TimeSpan.FromSeconds(3); o.Transport = [|new HttpClientPipelineTransport(f.CreateClient(\"sdk\"))|]; return new(\"\", o);")]
    [InlineData("var o = new OpenAIClientOptions { Transport = [|new HttpClientPipelineTransport(f.CreateClient(\"sdk\"))|], RetryPolicy = new ClientRetryPolicy() }; return new(\"\", o);")]
    [InlineData("var o = new OpenAIClientOptions { Transport = [|new HttpClientPipelineTransport(f.CreateClient(\"sdk\"))|], RetryPolicy = new ClientRetryPolicy(maxRetries: 1) }; return new(\"\", o);")]
    [InlineData("var s = new ServiceCollection(); s.AddSingleton(p => new OpenAIClient(\"\", new OpenAIClientOptions { Transport = [|new HttpClientPipelineTransport(p.GetRequiredService<IHttpClientFactory>().CreateClient(\"sdk\"))|] })); return null!;")]
    public Task A_client_below_the_retries_of_openai_is_reported(string statements) => CheckAsync(OpenAI(statements));

    private const string Factory = """
        public class Clients(IHttpClientFactory f) : Amazon.Runtime.HttpClientFactory { public override HttpClient CreateHttpClient(Amazon.Runtime.IClientConfig config) => f.CreateClient("sdk"); }
        """;

    [Theory]
    [InlineData("AmazonS3Client Make(IHttpClientFactory f) => new(new AmazonS3Config { HttpClientFactory = [|new Clients(f)|] });")]
    [InlineData("AmazonS3Client Make(IHttpClientFactory f) { var c = new AmazonS3Config { ServiceURL = \"http://a\" }; c.HttpClientFactory = [|new Clients(f)|]; c.MaxErrorRetry = 2; return new(c); }")]
    public Task A_client_below_the_retries_of_aws_is_reported(string members) => CheckAsync(members, more: Factory);

    [Theory]
    [InlineData("services.AddHttpClient(\"sdk\").AddIdempotencyKey();")]
    [InlineData("services.AddHttpClient(\"sdk\").AddStandardResilience();")]
    [InlineData("services.AddHttpClient(\"sdk\").AddStandardResilience(o => o.TotalTimeout = null);")]
    [InlineData("services.AddHttpClient(\"sdk\").AddResilience(b => b.AddTimeout(TimeSpan.FromSeconds(3)).AddRetry());")]
    [InlineData("var b = services.AddHttpClient(\"sdk\", c => c.BaseAddress = Where); b.AddIdempotencyKey();")]
    [InlineData("services.AddHttpClient(\"sdk\").AddStandardResilience(o => o.Retry = null).AddIdempotencyKey();")]
    [InlineData("services.AddHttpClient<Shop>(\"sdk\").AddStandardResilience();")]
    public Task However_the_client_was_registered_it_is_known(string statement) => CheckAsync(
        Azure("return new(Where, new BlobClientOptions { Transport = [|new HttpClientTransport(f.CreateClient(\"sdk\"))|] });"),
        $"void Register(IServiceCollection services) {{ {statement} }} ");

    [Fact]
    public Task A_typed_client_is_known_by_its_class() => CheckAsync(
        "void Register(IServiceCollection services) => services.AddHttpClient<Store>().AddStandardResilience();",
        "",
        "public class Store(HttpClient http) { public BlobServiceClient Blobs { get; } = new(new Uri(\"https://a\"), new BlobClientOptions { Transport = [|new HttpClientTransport(http)|] }); }");

    [Theory] // the retries of the SDK are off
    [InlineData("return new(Where, new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")), Retry = { MaxRetries = 0 } });")]
    [InlineData("var o = new BlobClientOptions(); o.Retry.MaxRetries = 0; o.Transport = new HttpClientTransport(f.CreateClient(\"sdk\")); return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; var c = new BlobServiceClient(Where, o); o.Retry.MaxRetries = 0; return c;")]
    [InlineData("return new(Where, new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")), RetryPolicy = new Azure.Core.Pipeline.RetryPolicy(maxRetries: 0) });")]
    [InlineData("return new(Where, new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")), RetryPolicy = new Azure.Core.Pipeline.RetryPolicy(0) });")]
    // the key is set above them
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; o.AddPolicy(null!, HttpPipelinePosition.PerCall); return new(Where, o);")]
    // it cannot be known
    [InlineData("return new(Where, new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")), Retry = { MaxRetries = Some } });")]
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; o.Retry.MaxRetries = Some; return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; Configure(o); return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; Configure(o.Retry); return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; var r = o.Retry; r.MaxRetries = 0; return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; if (Some > 1) o.Retry.MaxRetries = 0; return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; if (Some > 1) { o.Retry.MaxRetries = 2; } return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; o.Retry.MaxRetries = 2; o.Retry.MaxRetries = 0; return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; void Off() { o.Retry.MaxRetries = 0; } Off(); return new(Where, o);")]
    [InlineData("var o = new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) }; o = new(); return new(Where, o);")]
    [InlineData("var o = Made(f); return new(Where, o); static BlobClientOptions Made(IHttpClientFactory f) => new() { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) };")]
    [InlineData("return new(Where, new Careful { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) });")]
    [InlineData("var c = f.CreateClient(\"sdk\"); c = new HttpClient(); return new(Where, new BlobClientOptions { Transport = new HttpClientTransport(c) });")]
    [InlineData("var t = new HttpClientTransport(f.CreateClient(\"sdk\")); t = null!; return new(Where, new BlobClientOptions { Transport = t! });")]
    // the client is another one
    [InlineData("return new(Where, new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"other\")) });")]
    [InlineData("return new(Where, new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient()) });")]
    [InlineData("return new(Where, new BlobClientOptions { Transport = new HttpClientTransport(new HttpClient()) });")]
    [InlineData("return new(Where, new BlobClientOptions { Transport = new HttpClientTransport(Http) });")]
    [InlineData("return new(Where, new BlobClientOptions());")]
    public Task A_client_of_azure_that_is_right_or_cannot_be_judged_is_not(string statements) => CheckAsync(
        Azure(statements), more: "public class Careful : BlobClientOptions { public Careful() { Retry.MaxRetries = 0; } }");

    [Theory]
    [InlineData("return new(\"\", new OpenAIClientOptions { Transport = new HttpClientPipelineTransport(f.CreateClient(\"sdk\")), RetryPolicy = new ClientRetryPolicy(maxRetries: 0) });")]
    [InlineData("var o = new OpenAIClientOptions { Transport = new HttpClientPipelineTransport(f.CreateClient(\"sdk\")) }; o.RetryPolicy = new ClientRetryPolicy(0); return new(\"\", o);")]
    [InlineData("var o = new OpenAIClientOptions { Transport = new HttpClientPipelineTransport(f.CreateClient(\"sdk\")) }; o.RetryPolicy = new ClientRetryPolicy(Some); return new(\"\", o);")]
    [InlineData("var o = new OpenAIClientOptions { Transport = new HttpClientPipelineTransport(f.CreateClient(\"sdk\")) }; o.RetryPolicy = new Never(); return new(\"\", o);")]
    [InlineData("var o = new OpenAIClientOptions { Transport = new HttpClientPipelineTransport(f.CreateClient(\"sdk\")) }; o.AddPolicy(null!, PipelinePosition.PerCall); return new(\"\", o);")]
    [InlineData("var o = new OpenAIClientOptions { Transport = new HttpClientPipelineTransport(f.CreateClient(\"sdk\")) }; Action a = () => o.RetryPolicy = new ClientRetryPolicy(0); a(); return new(\"\", o);")]
    public Task A_client_of_openai_that_is_right_or_cannot_be_judged_is_not(string statements) =>
        CheckAsync(OpenAI(statements), more: "public class Never : System.ClientModel.Primitives.PipelinePolicy;");

    [Theory]
    [InlineData("AmazonS3Client Make(IHttpClientFactory f) => new(new AmazonS3Config { HttpClientFactory = new Clients(f), MaxErrorRetry = 0 });", "\"sdk\"")]
    [InlineData("AmazonS3Client Make(IHttpClientFactory f) { var c = new AmazonS3Config(); c.MaxErrorRetry = 0; c.HttpClientFactory = new Clients(f); return new(c); }", "\"sdk\"")]
    [InlineData("AmazonS3Client Make(IHttpClientFactory f) => new(new AmazonS3Config { HttpClientFactory = new Clients(f), MaxErrorRetry = Some });", "\"sdk\"")]
    [InlineData("AmazonS3Client Make(IHttpClientFactory f) => new(new AmazonS3Config { HttpClientFactory = new Clients(f) });", "\"aws\"")]
    [InlineData("AmazonS3Client Make(IHttpClientFactory f) => new(new AmazonS3Config { HttpClientFactory = new Clients(f) });", "config.ToString()!")]
    [InlineData("AmazonS3Client Make(IHttpClientFactory f) => new(new AmazonS3Config { HttpClientFactory = new Clients(f) });", "config is null ? \"sdk\" : \"aws\"")]
    public Task A_client_of_aws_that_is_right_or_cannot_be_judged_is_not(string members, string name) => CheckAsync(
        members,
        Registered + "void More(IServiceCollection services) => services.AddHttpClient(\"aws\").AddStandardResilience(o => o.Retry = null); ",
        Factory.Replace("\"sdk\"", name, StringComparison.Ordinal));

    [Theory]
    [InlineData("services.AddHttpClient(\"sdk\");")]
    [InlineData("services.AddHttpClient(\"sdk\").AddStandardResilience(o => o.Retry = null);")]
    [InlineData("services.AddHttpClient(\"sdk\").AddStandardResilience(o => { o.TotalTimeout = null; o.Retry = null; });")]
    [InlineData("services.AddHttpClient(\"sdk\").AddStandardResilience(o => o.Retry!.MaxRetries = 0);")]
    [InlineData("services.AddHttpClient(\"sdk\").AddStandardResilience(o => Configure(o));")]
    [InlineData("services.AddHttpClient(\"sdk\").AddStandardResilience(Configure);")]
    [InlineData("services.AddHttpClient(\"sdk\").AddStandardResilience(\"Clients:sdk\");")]
    [InlineData("services.AddHttpClient(\"sdk\").AddResilience(b => b.AddTimeout(TimeSpan.FromSeconds(3)));")]
    [InlineData("services.AddHttpClient(Where.Host).AddStandardResilience();")]
    [InlineData("services.AddHttpClient(\"sdk\"); services.AddHttpClient(\"b\").AddStandardResilience();")]
    [InlineData("var b = services.AddHttpClient(\"sdk\"); b = services.AddHttpClient(\"b\"); b.AddStandardResilience();")]
    public Task A_client_that_neither_retries_nor_makes_keys_is_not(string statement) => CheckAsync(
        Azure("return new(Where, new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) });"),
        $"void Register(IServiceCollection services) {{ {statement} }} ");

    [Theory]
    [InlineData("AddIdempotencyKey()", "Azure.Core retries above this client, so each of its attempts gets a key of its own; set Retry.MaxRetries = 0, and see docs/with-sdks.md")]
    [InlineData("AddStandardResilience()", "Azure.Core retries above this client, so both retries multiply; set Retry.MaxRetries = 0, and see docs/with-sdks.md")]
    public async Task The_message_says_what_happens_and_what_to_set(string added, string message) => (await Analysis.RunWithAsync(
        Sdks,
        Usings + Analysis.InClass($"void Register(IServiceCollection services) => services.AddHttpClient(\"sdk\").{added}; "
            + "BlobServiceClient Make(IHttpClientFactory f) => new(null!, new BlobClientOptions { Transport = new HttpClientTransport(f.CreateClient(\"sdk\")) });")))
        .Select(d => d.GetMessage(null)).Should().Equal(message);
}

using System.Net;
using Resilience.Tests.Allocation;

namespace Resilience.Tests.Http;

/// <summary>What the handler allocates for a request that is answered at once, above what the network and the pipeline do.</summary>
public sealed class HttpAllocationTests
{
    private static readonly Uri Address = new("http://api.example.test/");
    private static readonly byte[] Bytes = new byte[256];

    private readonly HttpMessageInvoker _bare = new(new Network());
    private readonly HttpMessageInvoker _ours;
    private readonly ResiliencePipeline<HttpResponseMessage> _pipeline;

    public HttpAllocationTests()
    {
        HttpResilience resilience = HttpResilience.Standard(name: "shop");
        _pipeline = resilience.For(Address).Pipeline;
        _ours = new(new ResilienceHttpHandler(resilience, new Network()));
    }

#if DEBUG // the compiler makes objects of the state machines of async methods
    private const int StateMachines = 472;
#else
    private const int StateMachines = 0;
#endif

    public static TheoryData<string, Func<HttpRequestMessage>, int> Requests => new()
    {
        { "GET", () => new(HttpMethod.Get, Address), 120 },
        { "POST without content", () => new(HttpMethod.Post, Address), 168 },
        { "PUT of bytes", () => new(HttpMethod.Put, Address) { Content = new ByteArrayContent(Bytes) }, 256 },
        { "POST of text", () => new(HttpMethod.Post, Address) { Content = new StringContent("pay") }, 344 },
    };

    /// <summary>The call, the message of the attempt, and a content where one is watched.</summary>
    [Theory]
    [MemberData(nameof(Requests))]
    public void A_plain_request_allocates_no_more_than_it_did(string what, Func<HttpRequestMessage> make, int max)
    {
        using HttpResponseMessage ok = new(HttpStatusCode.OK);
        double bare = Allocated.BytesPerRun(() => Send(_bare, make())), ours = Allocated.BytesPerRun(() => Send(_ours, make()));
        double pipeline = Allocated.BytesPerRun(() => _pipeline.TryExecuteAsync(
            new CallOptions("GET"), static (_, answer) => new ValueTask<HttpResponseMessage>(answer), ok, default).AsTask().GetAwaiter().GetResult());
        (ours - bare - pipeline).Should().BeLessThanOrEqualTo(max + StateMachines, what);
    }

    private static void Send(HttpMessageInvoker client, HttpRequestMessage request) => client.SendAsync(request, default).GetAwaiter().GetResult();

    private sealed class Network : HttpMessageHandler
    {
        private static readonly Task<HttpResponseMessage> Ok = Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK));

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Content?.CopyTo(Stream.Null, null, cancellationToken);
            return Ok;
        }
    }
}

using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Resilience.Http;

namespace Resilience;

/// <summary>Stands where the SDK's retry stood: below its policies for each call, above those for each attempt.</summary>
internal sealed class ResiliencePolicy(HttpResilience resilience, string? keyHeader) : HttpPipelinePolicy
{
    /// <summary>By which a request says that it may be repeated: the draft's, and that of Azure's repeatable requests.</summary>
    private static readonly string[] KeyHeadersOfAzure = ["Idempotency-Key", "Repeatability-Request-ID"];

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) =>
        Begin(message, pipeline).Execute(resilience, message.CancellationToken);

    public override ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) =>
        Begin(message, pipeline).ExecuteAsync(resilience, message.CancellationToken);

    private Exchange Begin(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        Exchange exchange = new(message, pipeline);
        if (keyHeader is not null) exchange.EnsureKey(keyHeader);
        return exchange;
    }

    private sealed class Exchange(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) : HttpExchange
    {
        private readonly TimeSpan? _networkTimeout = message.NetworkTimeout;

        protected override Uri Address => message.Request.Uri.ToUri();

        protected override string Method => message.Request.Method.Method;

        protected override int Status => message.HasResponse ? message.Response.Status : 0;

        protected override bool? MayPass => message.ResponseClassifier.IsRetriableResponse(message);

        protected override IReadOnlyList<string> KeyHeaders => KeyHeadersOfAzure;

        protected override string? RequestHeader(string name) => message.Request.Headers.TryGetValue(name, out string? value) ? value : null;

        protected override void SetRequestHeader(string name, string value) => message.Request.Headers.SetValue(name, value);

        protected override string? AnswerHeader(string name) =>
            message.HasResponse && message.Response.Headers.TryGetValue(name, out string? value) ? value : null;

        protected override void Begin(int number, TimeSpan? timeLeft)
        {
            if (number > 0 && message.HasResponse) message.Response.ContentStream?.Dispose(); // and with it the connection of the former attempt
            if (timeLeft is { } left) message.NetworkTimeout = _networkTimeout is { } own && own < left ? own : left;
            MessageProcessingContext processing = message.ProcessingContext;
            processing.RetryNumber = number; // which policies of the SDK read
        }

        protected override ValueTask SendAsync() => ProcessNextAsync(message, pipeline);

        protected override void Send() => ProcessNext(message, pipeline);

        /// <summary>Of an error without an answer, what the transport said.</summary>
        protected override Exception CauseOf(Exception error) => error is RequestFailedException { Status: 0, InnerException: { } inner } ? inner : error;
    }
}

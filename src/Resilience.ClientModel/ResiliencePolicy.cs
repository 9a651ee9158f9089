using System.ClientModel;
using System.ClientModel.Primitives;
using Resilience.Http;

namespace Resilience;

/// <summary>Stands where the SDK's retry stood: below its policies for each call, above those for each attempt.</summary>
internal sealed class ResiliencePolicy(HttpResilience resilience, string? keyHeader) : PipelinePolicy
{
    public override void Process(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
    {
        if (message.Request.Uri is null) ProcessNext(message, pipeline, currentIndex); // which says what is missing
        else Begin(message, pipeline, currentIndex).Execute(resilience, message.CancellationToken);
    }

    public override ValueTask ProcessAsync(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex) => message.Request.Uri is null
        ? ProcessNextAsync(message, pipeline, currentIndex)
        : Begin(message, pipeline, currentIndex).ExecuteAsync(resilience, message.CancellationToken);

    private Exchange Begin(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
    {
        Exchange exchange = new(message, pipeline, currentIndex);
        if (keyHeader is not null) exchange.EnsureKey(keyHeader);
        return exchange;
    }

    private sealed class Exchange(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex) : HttpExchange
    {
        private readonly TimeSpan? _networkTimeout = message.NetworkTimeout;

        protected override Uri Address => message.Request.Uri!;

        protected override string Method => message.Request.Method;

        protected override int Status => message.Response?.Status ?? 0;

        protected override bool? MayPass => message.ResponseClassifier.TryClassify(message, null, out bool isRetriable)
            || PipelineMessageClassifier.Default.TryClassify(message, null, out isRetriable)
            ? isRetriable
            : null;

        protected override string? RequestHeader(string name) => message.Request.Headers.TryGetValue(name, out string? value) ? value : null;

        protected override void SetRequestHeader(string name, string value) => message.Request.Headers.Set(name, value);

        protected override string? AnswerHeader(string name) =>
            message.Response is { } answer && answer.Headers.TryGetValue(name, out string? value) ? value : null;

        protected override void Begin(int number, TimeSpan? timeLeft)
        {
            if (number > 0) message.Response?.ContentStream?.Dispose(); // and with it the connection of the former attempt
            if (timeLeft is { } left) message.NetworkTimeout = _networkTimeout is { } own && own < left ? own : left;
        }

        protected override ValueTask SendAsync() => ProcessNextAsync(message, pipeline, currentIndex);

        protected override void Send() => ProcessNext(message, pipeline, currentIndex);

        /// <summary>Of an error without an answer, what the transport said.</summary>
        protected override Exception CauseOf(Exception error) => error is ClientResultException { Status: 0, InnerException: { } inner } ? inner : error;
    }
}

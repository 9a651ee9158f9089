namespace Resilience.Grpc;

/// <summary>Options of a gRPC client whose pipeline is yours: <see cref="GrpcResilience.Custom"/>.</summary>
public sealed class GrpcPipelineOptions : GrpcClientOptions<GrpcPipelineOptions>
{
    /// <summary>Adds the policies that a server stream passes to its first message; it is given the pipeline of the unary calls of the same target, whose
    /// circuit, budget and limit are found in it (<c>unary.Find&lt;CircuitBreaker>()</c>). Default null: the circuit breaker and the limit of the unary
    /// calls, and no retry.</summary>
    /// <remarks>A timeout among them ends with the first message. Runs once for each target, when its first stream is opened. Client streams and duplex
    /// streams, which are sent once, have the circuit breaker and the limit of the unary calls.</remarks>
    public Action<ResiliencePipelineBuilder, ResiliencePipeline>? Streams { get; set; }

    /// <inheritdoc/>
    internal override void AddTo(ResiliencePipelineBuilder builder) => builder.AcceptedWarnings.UnionWith(AcceptedWarnings);

    /// <inheritdoc/>
    internal override void AddTo(ResiliencePipelineBuilder builder, ResiliencePipeline unary, bool mayBegin)
    {
        AddTo(builder);
        if (mayBegin && Streams is { } add)
        {
            add(builder, unary);
        }
        else
        {
            if (unary.Find<CircuitBreaker>() is { } breaker) builder.AddCircuitBreaker(breaker);
            if (unary.Find<ConcurrencyLimit>() is { } limit) builder.AddConcurrencyLimit(limit);
        }

        if (mayBegin) AddFirstMessageTimeout(builder);
    }
}

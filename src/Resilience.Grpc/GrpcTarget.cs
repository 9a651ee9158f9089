namespace Resilience.Grpc;

/// <summary>What the calls of one client to one target share: a pipeline with a circuit, a budget and a limit of its own. Thread-safe.</summary>
public sealed class GrpcTarget
{
    private readonly Func<GrpcTarget, bool, ResiliencePipeline> _makeForStreams;
    private ResiliencePipeline? _beginning, _whole;
    private ResiliencePipelineBuilder _builder; // of the unary pipeline as it is now

    internal GrpcTarget(
        string name, ResiliencePipeline pipeline, ResiliencePipelineBuilder builder, Func<GrpcTarget, bool, ResiliencePipeline> makeForStreams)
    {
        _builder = builder;
        TimeProvider = SafeCalls.Time(builder.TimeProvider);
        Name = name;
        Pipeline = pipeline;
        _makeForStreams = makeForStreams;
    }

    /// <summary>The host and port of the channel, or the text of <see cref="GrpcClientOptions.PartitionBy"/>; empty where the interceptor was not told
    /// the target; <c>*</c> for <see cref="GrpcResilience.Overflow"/>.</summary>
    public string Name { get; }

    /// <summary>The pipeline of unary calls. Those of streams share its circuit, budget and limit.</summary>
    public ResiliencePipeline Pipeline { get; }

    /// <summary>The circuit breaker, or null if there is none.</summary>
    public CircuitBreaker? CircuitBreaker => Pipeline.Find<CircuitBreaker>();

    /// <summary>The retry budget, or null if there is none.</summary>
    public RetryBudget? RetryBudget => Pipeline.Find<RetryBudget>();

    /// <summary>The concurrency limit, or null if there is none.</summary>
    public ConcurrencyLimit? ConcurrencyLimit => Pipeline.Find<ConcurrencyLimit>();

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>What the outcomes of its calls mean.</summary>
    internal OutcomeClassifier Classifier => Volatile.Read(ref _builder).Classifier; // acquire: pairs with Follow

    internal TimeProvider TimeProvider { get; }

    /// <summary>The pipeline that a server stream passes to its first message.</summary>
    internal ResiliencePipeline Beginning => Made(ref _beginning, mayBegin: true);

    /// <summary>The pipeline that a client stream or a duplex stream passes as a whole.</summary>
    internal ResiliencePipeline Whole => Made(ref _whole, mayBegin: false);

    /// <summary>What pipelines of streams have in common with that of unary calls.</summary>
    internal void Share(ResiliencePipelineBuilder streams)
    {
        ResiliencePipelineBuilder unary = Volatile.Read(ref _builder); // acquire: pairs with Follow
        (streams.Classifier, streams.TimeProvider, streams.Randomness) = (unary.Classifier, unary.TimeProvider, unary.Randomness);
    }

    /// <summary>The unary pipeline was made anew. Those of streams were made of options that no longer hold; they are made when they are asked for.</summary>
    internal void Follow(ResiliencePipelineBuilder builder)
    {
        Volatile.Write(ref _builder, builder); // release: it is whole
        Volatile.Write(ref _beginning, null); // release: who makes it anew finds the options that hold now
        Volatile.Write(ref _whole, null);
    }

    /// <summary>Of two threads that make it at once one is heard; what the two have made shares its state and differs in nothing.</summary>
    private ResiliencePipeline Made(ref ResiliencePipeline? place, bool mayBegin) =>
        Volatile.Read(ref place) // acquire: pairs with the exchange
        ?? Interlocked.CompareExchange(ref place, _makeForStreams(this, mayBegin), null) // full fence: publishes it whole
        ?? Volatile.Read(ref place) ?? _makeForStreams(this, mayBegin); // forgotten meanwhile
}

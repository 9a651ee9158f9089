using Polly;

namespace Resilience;

/// <summary>A pipeline of ours as a strategy of Polly.</summary>
internal sealed class PipelineStrategy(ResiliencePipeline pipeline) : ResilienceStrategy
{
    protected override ValueTask<Polly.Outcome<TResult>> ExecuteCore<TResult, TState>(
        Func<Polly.ResilienceContext, TState, ValueTask<Polly.Outcome<TResult>>> callback, Polly.ResilienceContext context, TState state)
    {
        CallFromPolly<TResult, TState> call = new(callback, context, state);
        return PollyContext.IsSynchronous(context)
            ? new(call.End(pipeline.TryExecute(call.Options, static (ours, c) => c.Run(ours.CancellationToken), call, context.CancellationToken)))
            : call.EndAsync(pipeline.TryExecuteAsync(call.Options, static (ours, c) => c.RunAsync(ours.CancellationToken), call, context.CancellationToken));
    }
}

/// <summary>The same for one type of result.</summary>
internal sealed class PipelineStrategy<T>(ResiliencePipeline<T> pipeline) : ResilienceStrategy<T>
{
    protected override ValueTask<Polly.Outcome<T>> ExecuteCore<TState>(
        Func<Polly.ResilienceContext, TState, ValueTask<Polly.Outcome<T>>> callback, Polly.ResilienceContext context, TState state)
    {
        CallFromPolly<T, TState> call = new(callback, context, state);
        return PollyContext.IsSynchronous(context)
            ? new(call.End(pipeline.TryExecute(call.Options, static (ours, c) => c.Run(ours.CancellationToken), call, context.CancellationToken)))
            : call.EndAsync(pipeline.TryExecuteAsync(call.Options, static (ours, c) => c.RunAsync(ours.CancellationToken), call, context.CancellationToken));
    }
}

/// <summary>What Polly asks of a strategy besides: nothing.</summary>
internal sealed class PipelineStrategyOptions : ResilienceStrategyOptions;

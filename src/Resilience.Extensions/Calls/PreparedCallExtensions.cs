namespace Resilience;

/// <summary>Makes calls that were prepared before.</summary>
public static class PreparedCallExtensions
{
    /// <summary>Makes the call: runs the delegate through the pipeline, with the context of each attempt.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ValueTask<T> ExecuteAsync<T>(this ResiliencePipeline pipeline, Func<ResilienceContext, ValueTask<T>> callback, PreparedCall call)
    {
        Check(pipeline, callback, call);
        return pipeline.ExecuteAsync(call.Options, static (context, run) => run(context), callback, call.CancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{T}(ResiliencePipeline, Func{ResilienceContext, ValueTask{T}}, PreparedCall)"/>
    public static ValueTask ExecuteAsync(this ResiliencePipeline pipeline, Func<ResilienceContext, ValueTask> callback, PreparedCall call)
    {
        Check(pipeline, callback, call);
        return pipeline.ExecuteAsync(call.Options, static (context, run) => run(context), callback, call.CancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{T}(ResiliencePipeline, Func{ResilienceContext, ValueTask{T}}, PreparedCall)"/>
    public static ValueTask<T> ExecuteAsync<T>(this ResiliencePipeline<T> pipeline, Func<ResilienceContext, ValueTask<T>> callback, PreparedCall call)
    {
        Check(pipeline, callback, call);
        return pipeline.ExecuteAsync(call.Options, static (context, run) => run(context), callback, call.CancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{T}(ResiliencePipeline, Func{ResilienceContext, ValueTask{T}}, PreparedCall)"/>
    public static T Execute<T>(this ResiliencePipeline pipeline, Func<ResilienceContext, T> callback, PreparedCall call)
    {
        Check(pipeline, callback, call);
        return pipeline.Execute(call.Options, static (context, run) => run(context), callback, call.CancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{T}(ResiliencePipeline, Func{ResilienceContext, ValueTask{T}}, PreparedCall)"/>
    public static void Execute(this ResiliencePipeline pipeline, Action<ResilienceContext> callback, PreparedCall call)
    {
        Check(pipeline, callback, call);
        pipeline.Execute(
            call.Options,
            static (context, run) =>
            {
                run(context);
                return true;
            },
            callback,
            call.CancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{T}(ResiliencePipeline, Func{ResilienceContext, ValueTask{T}}, PreparedCall)"/>
    public static T Execute<T>(this ResiliencePipeline<T> pipeline, Func<ResilienceContext, T> callback, PreparedCall call)
    {
        Check(pipeline, callback, call);
        return pipeline.Execute(call.Options, static (context, run) => run(context), callback, call.CancellationToken);
    }

    private static void Check(object pipeline, object callback, PreparedCall call)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        ArgumentNullException.ThrowIfNull(callback);
        ArgumentNullException.ThrowIfNull(call);
    }
}

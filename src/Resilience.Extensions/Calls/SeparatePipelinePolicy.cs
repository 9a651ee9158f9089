using Resilience.Extensibility;

namespace Resilience;

/// <summary>A pipeline inside of another that makes calls of its own.</summary>
internal sealed class SeparatePipelinePolicy(ResiliencePipeline pipeline) : ResiliencePolicy
{
    public override PolicyDescription Describe() => new("separate", PolicyRole.Other) { Inner = pipeline.Describe().Policies };

    protected override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(pipeline, next);

    private sealed class Link<T>(ResiliencePipeline pipeline, PolicyLink<T> next) : PolicyLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            SeparateCall<T> call = new(next, context);
            CallOptions options = new(context.Operation);
            return context.IsSynchronous
                ? new(call.End(pipeline.TryExecute(options, static (inner, c) => c.Run(inner), call, context.CancellationToken)))
                : call.EndAsync(pipeline.TryExecuteAsync(options, static (inner, c) => c.RunAsync(inner), call, context.CancellationToken));
        }
    }
}

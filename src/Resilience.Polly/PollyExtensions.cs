using System.Diagnostics.CodeAnalysis;
using Polly;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Takes pipelines over the border to Polly and back, for libraries whose own API has types of Polly.</summary>
public static class PollyExtensions
{
    private const string Options = "Polly validates the attributes of the options, and these have none.";

    /// <summary>This pipeline as one of Polly. It is the same pipeline: circuits, budgets and limits are shared with all that call it directly.</summary>
    /// <remarks>The delegate gets the context of Polly that the caller gave, with the token of the attempt; <c>OperationKey</c> is the operation here.
    /// Rejections and timeouts are the exceptions of this library (<see cref="CircuitOpenException"/>, <see cref="TimedOutException"/>). Costs one
    /// object for each call.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="pipeline"/> is null.</exception>
    /// <exception cref="InvalidOperationException">The pipeline hedges.</exception>
    /// <exception cref="NotSupportedException">This version of Polly does not let a strategy set the token of an attempt.</exception>
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = Options)]
    public static global::Polly.ResiliencePipeline AsPolly(this ResiliencePipeline pipeline)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        Check(pipeline.Name, pipeline.Describe());
        return new global::Polly.ResiliencePipelineBuilder { Name = pipeline.Name }
            .AddStrategy(_ => new PipelineStrategy(pipeline), new PipelineStrategyOptions()).Build();
    }

    /// <inheritdoc cref="AsPolly(ResiliencePipeline)"/>
    /// <typeparam name="T">The type of the result.</typeparam>
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = Options)]
    public static global::Polly.ResiliencePipeline<T> AsPolly<T>(this ResiliencePipeline<T> pipeline)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        Check(pipeline.Name, pipeline.Describe());
        return new global::Polly.ResiliencePipelineBuilder<T> { Name = pipeline.Name }
            .AddStrategy(_ => new PipelineStrategy<T>(pipeline), new PipelineStrategyOptions()).Build();
    }

    /// <summary>This pipeline as a policy of Polly v7; otherwise as <see cref="AsPolly(ResiliencePipeline)"/>.</summary>
    /// <inheritdoc cref="AsPolly(ResiliencePipeline)" path="/exception"/>
    public static IAsyncPolicy AsAsyncPolicy(this ResiliencePipeline pipeline) => ResiliencePipelineConversionExtensions.AsAsyncPolicy(pipeline.AsPolly());

    /// <summary>This pipeline as a policy of Polly v7; otherwise as <see cref="AsPolly{T}(ResiliencePipeline{T})"/>.</summary>
    /// <inheritdoc cref="AsPolly(ResiliencePipeline)" path="/exception"/>
    /// <typeparam name="T">The type of the result.</typeparam>
    public static IAsyncPolicy<T> AsAsyncPolicy<T>(this ResiliencePipeline<T> pipeline) =>
        ResiliencePipelineConversionExtensions.AsAsyncPolicy(pipeline.AsPolly());

    /// <summary>A pipeline of Polly as one policy, for <c>builder.AddPolicy(…)</c>. Its strategies see results and exceptions, and judge them by their own
    /// predicates; what comes out of it unchanged keeps the verdict that it has here.</summary>
    /// <remarks>What Polly rejects (an open circuit, a limit) is <see cref="Verdict.Rejected"/>, its timeout a <see cref="Verdict.Failure"/>, a result that
    /// its fallback made a <see cref="Verdict.Success"/>. Each attempt that Polly makes is an attempt of the call.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="pipeline"/> is null.</exception>
    public static ResiliencePolicy AsPolicy(this global::Polly.ResiliencePipeline pipeline)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        return new PollyPolicy(new PollyRunner(pipeline));
    }

    /// <inheritdoc cref="AsPolicy(global::Polly.ResiliencePipeline)"/>
    /// <summary>A pipeline of Polly for one type of result; calls for another type end with an <see cref="InvalidOperationException"/>.</summary>
    /// <typeparam name="T">The type of the result.</typeparam>
    /// <exception cref="ArgumentNullException"><paramref name="pipeline"/> is null.</exception>
    public static ResiliencePolicy AsPolicy<T>(this global::Polly.ResiliencePipeline<T> pipeline)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        return new PollyPolicy(new TypedPollyRunner<T>(pipeline));
    }

    /// <inheritdoc cref="AsPolicy(global::Polly.ResiliencePipeline)"/>
    /// <summary>A policy of Polly v7 as one policy; otherwise as for a pipeline.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="policy"/> is null.</exception>
    public static ResiliencePolicy AsPolicy(this IAsyncPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return new PollyPolicy(new OldPollyRunner(policy));
    }

    private static void Check(string name, PipelineDescription description)
    {
        PollyContext.Check();
        if (description.Policies.Any(Hedges))
        {
            throw new InvalidOperationException(
                $"The pipeline '{name}' hedges: two attempts would use one context of Polly at the same time. Call it directly.");
        }
    }

    private static bool Hedges(PolicyDescription policy) => policy.Role == PolicyRole.Hedging || policy.Inner.Any(Hedges);
}

using Resilience.Extensibility;

namespace Resilience;

/// <summary>A pipeline or policy of Polly as one policy of ours.</summary>
internal sealed class PollyPolicy(IPollyRunner runner) : ResiliencePolicy
{
    public override PolicyDescription Describe() => new("polly", PolicyRole.Other);

    protected override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(runner, next);

    private sealed class Link<T>(IPollyRunner runner, PolicyLink<T> next) : PolicyLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) =>
            context.WaitIfSynchronous(new CallToPolly<T>(next, context).RunAsync(runner));
    }
}

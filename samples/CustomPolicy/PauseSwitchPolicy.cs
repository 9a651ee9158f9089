using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

internal sealed class PauseSwitchPolicy(PauseSwitch pause, PolicyEnvironment environment) : ResiliencePolicy
{
    public override PolicyDescription Describe() => new(environment.PolicyName, PolicyRole.Other)
    {
        Options = [new("paused", pause.IsPaused ? "yes" : "no")],
    };

    protected override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(pause, environment, next);

    private sealed class Link<T>(PauseSwitch pause, PolicyEnvironment environment, PolicyLink<T> next) : PolicyLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            if (pause.TryEnter() is { } rejection) return new(Reject(rejection));
            ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
            if (!running.IsCompletedSuccessfully) return AwaitAsync(running);
            Outcome<T> outcome = running.Result;
            pause.Exit();
            return new(outcome);
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<Outcome<T>> AwaitAsync(ValueTask<Outcome<T>> running)
        {
            Outcome<T> outcome = await running.ConfigureAwait(false);
            pause.Exit();
            return outcome;
        }

        private Outcome<T> Reject(PausedRejection rejection)
        {
            if (environment.HasListeners) environment.Publish(new CallPaused(environment.PipelineName, environment.PolicyName, rejection));
            return Outcome.Rejected<T>(rejection);
        }
    }
}

using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

internal sealed class SimplePauseSwitchPolicy(PauseSwitch pause, PolicyEnvironment environment) : SimplePolicy
{
    public override PolicyDescription Describe() => new(environment.PolicyName, PolicyRole.Other);

    protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
    {
        if (pause.TryEnter() is { } rejection)
        {
            if (environment.IsObserved(CallPaused.Metric)) environment.Report(new CallPaused(environment.PipelineName, environment.PolicyName, rejection));
            return Outcome.Rejected<T>(rejection);
        }

        Outcome<T> outcome = await next.ExecuteAsync(context).ConfigureAwait(false);
        pause.Exit();
        return outcome;
    }
}

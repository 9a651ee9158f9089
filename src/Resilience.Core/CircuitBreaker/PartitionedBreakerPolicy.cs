using Resilience.Extensibility;

namespace Resilience;

/// <summary>The same with a breaker for each key.</summary>
internal sealed class PartitionedBreakerPolicy : ResiliencePolicy
{
    private readonly CircuitBreakerPartitions _breakers;
    private readonly Func<ResilienceContext, string?> _keyOf;
    private readonly PolicyEnvironment _environment;

    internal PartitionedBreakerPolicy(CircuitBreakerPartitions breakers, Func<ResilienceContext, string?> keyOf, PolicyEnvironment environment)
    {
        _breakers = breakers;
        _keyOf = keyOf;
        _environment = environment;
    }

    internal override bool NeverThrows => true;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(this, next);

    public override object? State => _breakers;

    public override PolicyDescription Describe() => _breakers.Describe(_environment.PolicyName);

    protected internal override void TakeEffect() => _breakers.Attach(_environment);

    protected internal override void Retire() => _breakers.Detach(_environment);

    private CircuitBreaker BreakerFor(ResilienceContext context)
    {
        try
        {
            return _breakers.Get(_keyOf(context.Shown()) ?? "");
        }
        catch (Exception error)
        {
            Safely.Report("circuit breaker key", error);
            return _breakers.Get("");
        }
    }

    private sealed class Link<T>(PartitionedBreakerPolicy policy, PolicyLink<T> next) : BreakerLink<T>(policy._environment, next)
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => Through(policy.BreakerFor(context), context);
    }
}

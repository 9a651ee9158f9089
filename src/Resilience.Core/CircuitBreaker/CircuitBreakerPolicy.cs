using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a call passes a circuit breaker: enter, go on, exit.</summary>
internal sealed class CircuitBreakerPolicy : ResiliencePolicy
{
    private readonly CircuitBreaker _breaker;
    private readonly PolicyEnvironment _environment;
    private readonly CarriedState<CircuitBreaker, CircuitBreakerOptions>? _carried; // null: the breaker is shared, and an update changes nothing about it

    /// <summary>A breaker of the pipeline's own, or the one that the policy of this name had before an update.</summary>
    internal CircuitBreakerPolicy(CircuitBreakerOptions options, PolicyEnvironment environment)
    {
        _environment = environment;
        _carried = new(
            this, environment, options, static (o, e) => new(o, e), static (b, o, e) => b.Adopt(o, e), static (b, e) => CircuitBreakerTelemetry.Watch(e, b),
            static (b, e) => b.Abandon(e));
        _breaker = _carried.State;
    }

    internal CircuitBreakerPolicy(CircuitBreaker breaker, PolicyEnvironment environment)
    {
        _breaker = breaker;
        _environment = environment;
    }

    internal override bool NeverThrows => true;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(_breaker, _environment, next);

    public override object? State => _breaker;

    protected internal override CarriedState? Carried => _carried;

    public override PolicyDescription Describe() => _carried?.Pending is { } options
        ? CircuitDescription.Of(_environment.PolicyName, BreakerSettings.From(options, null, null, 0))
        : _breaker.Describe(_environment.PolicyName);

    protected internal override void TakeEffect()
    {
        if (_carried is null) _breaker.Attach(_environment); // not before: an update that is rejected is told nothing
    }

    protected internal override void Retire()
    {
        if (_carried is null) _breaker.Detach(_environment);
    }

    private sealed class Link<T>(CircuitBreaker breaker, PolicyEnvironment environment, PolicyLink<T> next) : BreakerLink<T>(environment, next)
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => Through(breaker, context);
    }
}

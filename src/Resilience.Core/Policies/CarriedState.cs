namespace Resilience.Extensibility;

/// <summary>What a policy hands on to the policy of its name when its pipeline is updated. Made by <see cref="CarriedState{TState, TOptions}"/>.</summary>
public abstract class CarriedState
{
    private protected CarriedState()
    {
    }

    internal abstract void TakeEffect();

    internal abstract void Retire();
}

/// <summary>A state that outlives the policy which made it: an update that leaves a policy of the same name and type in the pipeline hands the state on,
/// and the new options reach it when the update takes effect, not before.</summary>
/// <typeparam name="TState">What calls share: a limit, an account, a switch.</typeparam>
/// <typeparam name="TOptions">How it is set.</typeparam>
/// <remarks>Make it in the constructor of a policy and return it from <see cref="ResiliencePolicy.Carried"/>; the rest is done. A state is handed on while the
/// source of time stays the same: deadlines of one clock mean nothing to another. Made and changed under the lock of the pipeline's updates;
/// <see cref="State"/> never changes.</remarks>
public sealed class CarriedState<TState, TOptions> : CarriedState
    where TState : class
    where TOptions : class
{
    private readonly PolicyEnvironment _environment;
    private readonly Action<TState, TOptions, PolicyEnvironment> _adopt;
    private readonly Action<TState, PolicyEnvironment>? _begin;
    private readonly Action<TState, PolicyEnvironment>? _abandon;

    /// <summary>Takes over the state of the former policy of this name, or makes one.</summary>
    /// <param name="policy">The policy whose state it is: <c>this</c>, in its constructor.</param>
    /// <param name="environment">Its environment.</param>
    /// <param name="options">Its options, a copy that nothing else changes.</param>
    /// <param name="make">Makes a state of its own.</param>
    /// <param name="adopt">Gives a state that was handed on its new options, and the environment by whose names it goes from now on.</param>
    /// <param name="begin">The first policy of a state is in use: for what should not be there before (an instrument that shows it). Default: nothing.</param>
    /// <param name="abandon">An update has left the policy out. If the state was handed on, that has happened: only a state that still goes by this environment
    /// is let go. Default: nothing.</param>
    /// <exception cref="ArgumentNullException">A required argument is null.</exception>
    public CarriedState(
        ResiliencePolicy policy,
        PolicyEnvironment environment,
        TOptions options,
        Func<TOptions, PolicyEnvironment, TState> make,
        Action<TState, TOptions, PolicyEnvironment> adopt,
        Action<TState, PolicyEnvironment>? begin = null,
        Action<TState, PolicyEnvironment>? abandon = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(make);
        ArgumentNullException.ThrowIfNull(adopt);
        (_environment, _adopt, _begin, _abandon) = (environment, adopt, begin, abandon);
        if (environment.Former is { } former && former.GetType() == policy.GetType()
            && former.Carried is CarriedState<TState, TOptions> carried && carried._environment.TimeProvider == environment.TimeProvider)
        {
            State = carried.State;
            Pending = options;
        }
        else
        {
            State = make(options, environment);
        }
    }

    /// <summary>The state, which calls share.</summary>
    public TState State { get; }

    /// <summary>The options of an update that has not taken effect: what a description shows, as the state has the former ones still. Null otherwise.</summary>
    public TOptions? Pending { get; private set; }

    internal override void TakeEffect()
    {
        if (Pending is { } options)
        {
            Pending = null;
            _adopt(State, options, _environment);
        }
        else
        {
            _begin?.Invoke(State, _environment);
        }
    }

    internal override void Retire() => _abandon?.Invoke(State, _environment);
}

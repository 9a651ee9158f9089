namespace Resilience.Extensibility;

/// <summary>A policy: something that stands around a call. The base of our own and of yours.</summary>
/// <remarks>
/// A policy holds the state that calls share and is thread-safe; <see cref="Bind{T}"/> makes the link that one type of call
/// passes through. If you do not need the last nanoseconds, derive from <see cref="SimplePolicy"/> instead.
/// </remarks>
public abstract class ResiliencePolicy
{
    private int _pipelines; // that it stands in, and those that were forgotten without an update

    /// <summary>Makes the link that stands before <paramref name="next"/>. Called once for each result type, possibly more than once when calls race.</summary>
    protected internal abstract PolicyLink<T> Bind<T>(PolicyLink<T> next);

    /// <summary>As <see cref="Bind{T}"/>, for a policy of ours that sends less while one inside shows overload.</summary>
    internal virtual PolicyLink<T> BindAround<T>(PolicyLink<T> next, IReadOnlyList<IOverloadSign> inside) => Bind(next);

    /// <summary>What this policy is and how it is set, for <see cref="ResiliencePipeline.Describe"/> and for the check of the order.</summary>
    public virtual PolicyDescription Describe() => new(GetType().Name, PolicyRole.Other);

    /// <summary>The object by which people see and control this policy (a <see cref="CircuitBreaker"/>, a <see cref="RetryBudget"/>, a
    /// <see cref="ConcurrencyLimit"/>), or null if it has none. Where it (or else the policy) implements <see cref="IPolicyStatus"/>, live pages and
    /// health checks show how it is.</summary>
    public virtual object? State => null;

    /// <summary>The state that an update of the pipeline hands on to the policy of the same name and type; null if there is none (the default).</summary>
    protected internal virtual CarriedState? Carried => null;

    /// <summary>Called once when the policy is put in use: after everything in the pipeline was found in order, and the <see cref="Carried"/> state has its
    /// new options. For taking hold of what outlives the policy (a listener, a timer). Must not throw.</summary>
    /// <remarks>A policy that stands in several pipelines is put in use by the first of them. An update that keeps it does not call
    /// this again.</remarks>
    protected internal virtual void TakeEffect()
    {
    }

    /// <summary>Called once when an update has left the policy out, after the policies of the update have taken effect: lets go of what
    /// <see cref="TakeEffect"/> took hold of. Calls that are under way may still pass. Must not throw.</summary>
    /// <remarks>A policy that stands in several pipelines retires with the last of them. A pipeline that is only forgotten retires
    /// nothing: hold what outlives you weakly.</remarks>
    protected internal virtual void Retire()
    {
    }

    internal void Enter()
    {
        if (Interlocked.Increment(ref _pipelines) != 1) return;
        Tell("policy Carried", static policy => policy.Carried?.TakeEffect());
        Tell("policy TakeEffect", static policy => policy.TakeEffect());
    }

    internal void Leave()
    {
        if (Interlocked.Decrement(ref _pipelines) != 0) return;
        Tell("policy Carried", static policy => policy.Carried?.Retire());
        Tell("policy Retire", static policy => policy.Retire());
    }

    private void Tell(string what, Action<ResiliencePolicy> tell)
    {
        try
        {
            tell(this);
        }
        catch (Exception error)
        {
            Safely.Report(what, error);
        }
    }

    /// <summary>What <see cref="Describe"/> says; where it throws or says nothing, what can be said of any policy.</summary>
    internal PolicyDescription DescribeSafely()
    {
        try
        {
            if (Describe() is { } description) return description;
            return Undescribed("Describe returned null");
        }
        catch (Exception error)
        {
            Safely.Report("policy Describe", error);
            return Undescribed($"Describe threw {error.GetType().Name}");
        }
    }

    private PolicyDescription Undescribed(string why) => new(GetType().Name, PolicyRole.Other) { Options = [new("problem", why)] };

    /// <summary>The <see cref="State"/>; null also where it throws.</summary>
    internal object? StateSafely() => Safely.Ask("policy State", static policy => policy.State, this, null);

    /// <summary>True when it matters to this policy whether a call inside has given up on what it ended with; true for all that we did not write.</summary>
    internal virtual bool HonorsMarks => !NeverThrows;

    /// <summary>True for links of which we have made sure that they never throw; others are guarded.</summary>
    internal virtual bool NeverThrows => false;
}

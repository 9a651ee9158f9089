using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>A built chain of policies that runs any async delegate. Thread-safe; build one, keep it, share it: its state (breakers,
/// budgets, limits) is what protects you.</summary>
public sealed partial class ResiliencePipeline
{
    /// <summary>No policies: calls pass straight through, still classified and observed.</summary>
    public static ResiliencePipeline Empty { get; } = new ResiliencePipelineBuilder().Build();

    private readonly object _updating = new(); // one update at a time, calls never touch it; a monitor, which the schedule tests can stop at
    private PipelineParts _parts;

    internal ResiliencePipeline(PipelineParts parts)
    {
        _parts = parts;
        parts.TakeEffect(null);
    }

    /// <summary>The name of the pipeline, empty if it has none.</summary>
    public string Name => Parts.Name;

    /// <summary>What the check of the order had to say when the pipeline was built or last updated.</summary>
    public IReadOnlyList<PipelineWarning> Warnings => Parts.Warnings;

    /// <summary>The objects by which people see and control the policies (breakers, budgets, limits), outermost first, those of nested
    /// pipelines included.</summary>
    public IReadOnlyList<PolicyState> States => Parts.States();

    /// <summary>The chain, its options and the warnings, for people and for tests.</summary>
    public PipelineDescription Describe() => Parts.Describe();

    /// <summary>The first of the <see cref="States"/> that is of this type (and belongs to the policy of this name), or null.</summary>
    public TState? Find<TState>(string? policyName = null)
        where TState : class => Parts.FindState<TState>(policyName);

    /// <summary>Changes the policies of this living pipeline to those of the builder. State passes from each policy to the new one of the
    /// same name and kind: circuits stay open, budgets spent, places taken.</summary>
    /// <remarks>
    /// Everything is checked first, and bound for the result types that have passed; if anything is wrong nothing has changed. Then the
    /// pipeline changes in one step: each call goes by the old policies or by the new, and one that begins after this method has returned
    /// goes by the new. Calls that are under way end by the old. A name given to the builder is the pipeline's from now on. Thread-safe:
    /// updates happen one after the other.
    /// </remarks>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    /// <exception cref="ResiliencePipelineException">The order cannot work and the builder treats that as an error.</exception>
    /// <exception cref="InvalidOperationException">A factory of the builder has updated this very pipeline.</exception>
    public void Update(ResiliencePipelineBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        lock (_updating)
        {
            PipelineParts former = _parts;
            PipelineParts next = builder.BuildFrom(former);
            next.BindAsIn(former);
            PipelineParts.RequireSame(former, _parts);
            next.TakeEffect(former);

            // Release: the parts are whole before a call can find them. The one step of the update: chains live in the parts they were
            // bound from, so a first call that still builds on the former parts leaves its chain there.
            Volatile.Write(ref _parts, next);
        }
    }

    // Acquire: pairs with the release in Update.
    internal PipelineParts Parts => Volatile.Read(ref _parts);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Chain<T> ChainFor<T>() => Parts.ChainFor<T>();
}

/// <summary>A pipeline for calls of one result type: what a policy that needs to know the type (a fallback value) is built for.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
/// <remarks>Thread-safe; build one, keep it, share it.</remarks>
public sealed partial class ResiliencePipeline<T>
{
    private readonly object _updating = new(); // as in ResiliencePipeline
    private Generation _live;

    internal ResiliencePipeline(PipelineParts parts)
    {
        _live = new(parts, parts.MakeChain<T>());
        parts.TakeEffect(null);
    }

    /// <inheritdoc cref="ResiliencePipeline.Name"/>
    public string Name => Parts.Name;

    /// <inheritdoc cref="ResiliencePipeline.Warnings"/>
    public IReadOnlyList<PipelineWarning> Warnings => Parts.Warnings;

    /// <inheritdoc cref="ResiliencePipeline.States"/>
    public IReadOnlyList<PolicyState> States => Parts.States();

    /// <inheritdoc cref="ResiliencePipeline.Describe"/>
    public PipelineDescription Describe() => Parts.Describe();

    /// <inheritdoc cref="ResiliencePipeline.Find{TState}(string?)"/>
    public TState? Find<TState>(string? policyName = null)
        where TState : class => Parts.FindState<TState>(policyName);

    /// <inheritdoc cref="ResiliencePipeline.Update(ResiliencePipelineBuilder)"/>
    public void Update(ResiliencePipelineBuilder<T> builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        lock (_updating)
        {
            PipelineParts former = Parts;
            PipelineParts next = builder.BuildFrom(former);
            Generation generation = new(next, next.MakeChain<T>());
            PipelineParts.RequireSame(former, Parts);
            next.TakeEffect(former);
            Volatile.Write(ref _live, generation); // release: the links are whole before a call can find them
        }
    }

    internal PipelineParts Parts => Volatile.Read(ref _live).Parts;

    private Chain<T> Chain => Volatile.Read(ref _live).Chain;

    /// <summary>The parts and their chain behind one reference, so that nobody sees the one without the other.</summary>
    private sealed class Generation(PipelineParts parts, Chain<T> chain)
    {
        internal readonly PipelineParts Parts = parts;
        internal readonly Chain<T> Chain = chain;
    }
}

/// <summary>The object by which people see and control a policy.</summary>
/// <param name="PolicyName">The name of the policy.</param>
/// <param name="State">A <see cref="CircuitBreaker"/>, <see cref="RetryBudget"/>, <see cref="ConcurrencyLimit"/>, or what a policy of yours shows.</param>
public readonly record struct PolicyState(string PolicyName, object State);

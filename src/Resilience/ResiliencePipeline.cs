using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>A built chain of policies that runs any async delegate. Thread-safe; build one, keep it, share it: its state (breakers,
/// budgets, limits) is what protects you.</summary>
public sealed partial class ResiliencePipeline
{
    /// <summary>No policies: calls pass straight through, still classified and observed.</summary>
    public static ResiliencePipeline Empty { get; } = new ResiliencePipelineBuilder().Build();

    private readonly Lock _updating = new(); // one update at a time; calls never touch it
    private PipelineParts _parts;
    private Chain?[] _chains = [];

    internal ResiliencePipeline(PipelineParts parts)
    {
        _parts = parts;
        parts.TakeEffect();
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
    /// Everything is checked first; if anything is wrong nothing has changed. Calls that are under way end by the old policies. A
    /// name given to the builder is the pipeline's from now on. Thread-safe: updates happen one after the other.
    /// </remarks>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    /// <exception cref="ResiliencePipelineException">The order cannot work and the builder treats that as an error.</exception>
    public void Update(ResiliencePipelineBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        lock (_updating)
        {
            PipelineParts next = builder.BuildFrom(_parts);
            next.TakeEffect();

            // Parts first, chains second: who sees the emptied chains sees the new parts and binds those.
            Volatile.Write(ref _parts, next);
            Interlocked.Exchange(ref _chains, []);
        }
    }

    internal PipelineParts Parts => Volatile.Read(ref _parts);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Chain<T> ChainFor<T>()
    {
        // Acquire: pairs with the exchange in MakeChain; a chain that we see is fully built.
        Chain?[] chains = Volatile.Read(ref _chains);
        int id = ResultType<T>.Id;
        return (uint)id < (uint)chains.Length && chains[id] is { } chain ? Unsafe.As<Chain<T>>(chain) : MakeChain<T>(id);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Chain<T> MakeChain<T>(int id)
    {
        while (true)
        {
            Chain?[] seen = Volatile.Read(ref _chains);
            if (id < seen.Length && seen[id] is { } raced) return Unsafe.As<Chain<T>>(raced);

            // Read after the chains (acquire above): if an update came between, its chains are not ours and the exchange fails.
            PipelineParts parts = Parts;
            if (!parts.TryMakeChain(out Chain<T> made)) return made; // for this call; the next one tries again
            Chain?[] grown = new Chain?[Math.Max(seen.Length, id + 1)];
            seen.CopyTo(grown, 0);
            grown[id] = made;
            if (Interlocked.CompareExchange(ref _chains, grown, seen) == seen) return made;
        }
    }
}

/// <summary>A pipeline for calls of one result type: what a policy that needs to know the type (a fallback value) is built for.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
/// <remarks>Thread-safe; build one, keep it, share it.</remarks>
public sealed partial class ResiliencePipeline<T>
{
    private readonly Lock _updating = new(); // one update at a time; calls never touch it
    private PipelineParts _parts;
    private Chain<T> _chain;

    internal ResiliencePipeline(PipelineParts parts)
    {
        _parts = parts;
        _chain = parts.MakeChain<T>();
        parts.TakeEffect();
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
            PipelineParts next = builder.BuildFrom(_parts);
            Chain<T> chain = next.MakeChain<T>();
            next.TakeEffect();
            Volatile.Write(ref _parts, next);
            Volatile.Write(ref _chain, chain); // release: the links are whole before a call can find them
        }
    }

    internal PipelineParts Parts => Volatile.Read(ref _parts);
}

/// <summary>The object by which people see and control a policy.</summary>
/// <param name="PolicyName">The name of the policy.</param>
/// <param name="State">A <see cref="CircuitBreaker"/>, <see cref="RetryBudget"/>, <see cref="ConcurrencyLimit"/>, or what a policy of yours shows.</param>
public readonly record struct PolicyState(string PolicyName, object State);

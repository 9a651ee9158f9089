using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>A built chain of policies that runs any async delegate. Thread-safe; build one, keep it, share it: its state (breakers,
/// budgets, limits) is what protects you.</summary>
public sealed partial class ResiliencePipeline
{
    /// <summary>No policies: calls pass straight through, still classified and observed.</summary>
    public static ResiliencePipeline Empty { get; } = new ResiliencePipelineBuilder().Build();

    private readonly PipelineParts _parts;
    private Chain?[] _chains = [];

    internal ResiliencePipeline(PipelineParts parts) => _parts = parts;

    /// <summary>The name of the pipeline, empty if it has none.</summary>
    public string Name => _parts.Name;

    /// <summary>What the check of the order had to say when the pipeline was built.</summary>
    public IReadOnlyList<PipelineWarning> Warnings => _parts.Warnings;

    /// <summary>The chain, its options and the warnings, for people and for tests.</summary>
    public PipelineDescription Describe() => _parts.Describe();

    internal PipelineParts Parts => _parts;

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
        Chain<T> made = _parts.MakeChain<T>();
        while (true)
        {
            Chain?[] seen = Volatile.Read(ref _chains);
            if (id < seen.Length && seen[id] is { } raced) return Unsafe.As<Chain<T>>(raced);
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
    private readonly PipelineParts _parts;
    private readonly Chain<T> _chain;

    internal ResiliencePipeline(PipelineParts parts)
    {
        _parts = parts;
        _chain = parts.MakeChain<T>();
    }

    /// <inheritdoc cref="ResiliencePipeline.Name"/>
    public string Name => _parts.Name;

    /// <inheritdoc cref="ResiliencePipeline.Warnings"/>
    public IReadOnlyList<PipelineWarning> Warnings => _parts.Warnings;

    /// <inheritdoc cref="ResiliencePipeline.Describe"/>
    public PipelineDescription Describe() => _parts.Describe();

    internal PipelineParts Parts => _parts;
}

/// <summary>What a pipeline is made of, whatever the type of its calls.</summary>
internal sealed class PipelineParts(
    string name, ResiliencePolicy[] policies, Clock clock, OutcomeClassifier classifier, IReadOnlyList<PipelineWarning> warnings)
{
    private readonly CallSite _site = new(name, clock);

    internal string Name => name;

    internal IReadOnlyList<PipelineWarning> Warnings => warnings;

    internal PipelineDescription Describe() => new(name, [.. policies.Select(p => p.Describe())], warnings);

    internal Chain<T> MakeChain<T>() => new(Bind(new AttemptLink<T>(name, classifier)), _site);

    /// <summary>Closes the policies over a result type, innermost first.</summary>
    internal PolicyLink<T> Bind<T>(PolicyLink<T> bottom)
    {
        PolicyLink<T> next = bottom;
        for (int i = policies.Length - 1; i >= 0; i--)
        {
            PolicyLink<T> link = policies[i].Bind(next)
                ?? throw new InvalidOperationException($"The policy {policies[i].GetType()} bound itself to null.");
            next = policies[i].NeverThrows ? link : new GuardLink<T>(link, classifier);
        }

        return next;
    }
}

/// <summary>A pipeline as one policy of another: its links are put in place, its delegate's ending is judged by the outer pipeline.</summary>
internal sealed class NestedPipelinePolicy(PipelineParts inner, string policyName, Type? onlyFor) : ResiliencePolicy
{
    internal override bool NeverThrows => true;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) =>
        onlyFor is null || onlyFor == typeof(T)
            ? inner.Bind(next)
            : throw new InvalidOperationException($"The pipeline '{inner.Name}' is for results of type {onlyFor}, and cannot be used for {typeof(T)}.");

    public override PolicyDescription Describe() => new(policyName, PolicyRole.Pipeline) { Inner = inner.Describe().Policies };
}

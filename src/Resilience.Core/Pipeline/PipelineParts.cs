using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>One generation of a pipeline: the policies, and the chains bound from them so far. An update puts another generation in its
/// place; nothing but the chains is ever added to this one.</summary>
internal sealed class PipelineParts(
    string name,
    ResiliencePolicy[] policies,
    string[] names,
    PolicyEnvironment[] environments,
    Clock clock,
    CallInstruments instruments,
    OutcomeClassifier classifier,
    IReadOnlyList<KeyValuePair<string, string>> settings,
    IReadOnlyList<PipelineWarning> warnings) : IChainMaker
{
    private readonly ResiliencePolicy[] _policies = policies;
    private readonly CallSite _site = new(name, clock, instruments);
    private Chain?[] _chains = []; // by the number of the result type; grows, and is replaced as a whole

    internal string Name => name;

    internal OutcomeClassifier Classifier => classifier;

    internal IReadOnlyList<PipelineWarning> Warnings => warnings;

    internal IReadOnlyList<ResiliencePolicy> Policies => _policies;

    internal PipelineDescription Describe() => new(name, [.. _policies.Select(p => p.DescribeSafely())], warnings) { Settings = settings };

    public Chain<T> MakeChain<T>() => new(Bind(AttemptLink<T>.Make(name, classifier, instruments, CarriesMarks)), _site, classifier);

    /// <summary>A policy may repeat what the delegate does, so it matters whether a call inside has given up.</summary>
    private bool CarriesMarks => _policies.Any(static policy => policy.HonorsMarks);

    /// <summary>False when a policy does not let itself be bound to this type of result: then the chain answers each call with what the
    /// policy threw, as <see cref="Verdict.Ignored"/>, because it says nothing about the dependency.</summary>
    internal bool TryMakeChain<T>(out Chain<T> made)
    {
        try
        {
            made = MakeChain<T>();
            return true;
        }
        catch (Exception error)
        {
            Safely.Report("policy Bind", error);
            made = new(new UnboundLink<T>(error), _site, classifier);
            return false;
        }
    }

    /// <summary>Stands for a chain that could not be bound.</summary>
    private sealed class UnboundLink<T>(Exception error) : PolicyLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => new(Outcome.Failure<T>(error, Verdict.Ignored));
    }

    /// <summary>The chain for calls of this result type.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Chain<T> ChainFor<T>()
    {
        // Acquire: pairs with the exchange in AddChain; a chain that we see is fully built.
        Chain?[] chains = Volatile.Read(ref _chains);
        int id = ResultType<T>.Id;
        return (uint)id < (uint)chains.Length && chains[id] is { } chain ? Unsafe.As<Chain<T>>(chain) : AddChain<T>(id);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Chain<T> AddChain<T>(int id)
    {
        while (true)
        {
            Chain?[] seen = Volatile.Read(ref _chains);
            if (id < seen.Length && seen[id] is { } raced) return Unsafe.As<Chain<T>>(raced);
            if (!TryMakeChain(out Chain<T> made)) return made; // for this call; the next one tries again
            Chain?[] grown = new Chain?[Math.Max(seen.Length, id + 1)];
            seen.CopyTo(grown, 0);
            grown[id] = made;

            // Full fence: the chain is whole before it can be found. The arrays only ever grow, so the one that we saw cannot come back.
            if (Interlocked.CompareExchange(ref _chains, grown, seen) == seen) return made;
        }
    }

    /// <summary>Binds a chain for each result type that has passed through the former parts: a policy that cannot be bound is found before
    /// anything has changed. These parts are not published yet.</summary>
    internal void BindAsIn(PipelineParts former)
    {
        Chain?[] seen = Volatile.Read(ref former._chains);
        _chains = Array.ConvertAll(seen, chain => chain?.MadeBy(this));
    }

    /// <summary>Code of the user runs while an update is made ready; it may not update the same pipeline, whose state would be handed on twice.</summary>
    internal static void RequireSame(PipelineParts former, PipelineParts present)
    {
        if (!ReferenceEquals(former, present))
            throw new InvalidOperationException($"The pipeline '{present.Name}' was updated by what its update has called; the outer one has changed nothing.");
    }

    /// <summary>Everything was found in order: the policies are put in use, then those that they replace are let go.</summary>
    internal void TakeEffect(PipelineParts? former)
    {
        ReadOnlySpan<ResiliencePolicy> before = former is null ? [] : former._policies;
        foreach (ResiliencePolicy policy in Without(_policies, before)) policy.Enter();
        foreach (ResiliencePolicy policy in Without(before, _policies)) policy.Leave();
        foreach (PolicyEnvironment environment in environments) environment.ForgetFormer();
    }

    /// <summary>Those of the one list that do not stand in the other, each once.</summary>
    private static HashSet<ResiliencePolicy> Without(ReadOnlySpan<ResiliencePolicy> policies, ReadOnlySpan<ResiliencePolicy> others)
    {
        HashSet<ResiliencePolicy> left = new(ReferenceEqualityComparer.Instance);
        foreach (ResiliencePolicy policy in policies) left.Add(policy);
        foreach (ResiliencePolicy policy in others) left.Remove(policy);
        return left;
    }

    /// <summary>The policy of this name; a pipeline inside is looked at as one policy.</summary>
    internal ResiliencePolicy? Find(string policyName)
    {
        int index = Array.IndexOf(names, policyName);
        return index < 0 ? null : _policies[index];
    }

    internal List<PolicyState> States()
    {
        List<PolicyState> states = [];
        Collect(states);
        return states;
    }

    private void Collect(List<PolicyState> states)
    {
        for (int i = 0; i < _policies.Length; i++)
        {
            if (_policies[i] is NestedPipelinePolicy nested) nested.Inner.Collect(states);
            else if ((_policies[i].StateSafely() ?? _policies[i] as IPolicyStatus) is { } state) states.Add(StateOf(names[i], state, _policies[i]));
        }
    }

    /// <summary>The state says how it is, or the policy does where the state is of a type that cannot.</summary>
    private static PolicyState StateOf(string name, object state, ResiliencePolicy policy) =>
        new(name, state) { Source = state as IPolicyStatus ?? policy as IPolicyStatus };

    internal TState? FindState<TState>(string? policyName)
        where TState : class
    {
        foreach (PolicyState state in States())
        {
            if (state.State is TState found && (policyName is null || policyName == state.PolicyName)) return found;
        }

        return null;
    }

    /// <summary>Closes the policies over a result type, innermost first.</summary>
    /// <param name="bottom">What stands inside all of them.</param>
    /// <param name="signs">Signs of overload among what stands further inside; null: none.</param>
    internal PolicyLink<T> Bind<T>(PolicyLink<T> bottom, IReadOnlyList<IOverloadSign>? signs = null)
    {
        PolicyLink<T> next = bottom;
        IReadOnlyList<IOverloadSign> inside = signs ?? [];
        for (int i = _policies.Length - 1; i >= 0; i--)
        {
            bool isOurs = _policies[i].NeverThrows;
            string who = isOurs ? names[i] : $"{names[i]} ({_policies[i].GetType().Name})";
            PolicyLink<T> link = _policies[i].BindAround(isOurs ? next : new SeamLink<T>(next, who), inside)
                ?? throw new InvalidOperationException($"The policy {_policies[i].GetType()} bound itself to null.");
            next = isOurs ? link : new GuardLink<T>(link, classifier, who);
            if (_policies[i] is IOverloadSign sign) inside = [.. inside, sign];
        }

        return next;
    }
}

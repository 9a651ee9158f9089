namespace Resilience;

/// <summary>What a pipeline is made of, whatever the type of its calls. Immutable: an update puts other parts in its place.</summary>
internal sealed class PipelineParts(
    string name,
    ResiliencePolicy[] policies,
    string[] names,
    PolicyEnvironment[] environments,
    Clock clock,
    CallInstruments instruments,
    OutcomeClassifier classifier,
    IReadOnlyList<KeyValuePair<string, string>> settings,
    IReadOnlyList<PipelineWarning> warnings)
{
    private readonly CallSite _site = new(name, clock, instruments);

    internal string Name => name;

    internal OutcomeClassifier Classifier => classifier;

    internal IReadOnlyList<PipelineWarning> Warnings => warnings;

    internal IReadOnlyList<ResiliencePolicy> Policies => policies;

    internal PipelineDescription Describe() => new(name, [.. policies.Select(p => p.DescribeSafely())], warnings) { Settings = settings };

    internal Chain<T> MakeChain<T>() => new(Bind(new AttemptLink<T>(name, classifier, instruments, CarriesMarks)), _site, classifier);

    /// <summary>A policy may repeat what the delegate does, so it matters whether a call inside has given up.</summary>
    private bool CarriesMarks => policies.Any(static policy => policy.HonorsMarks);

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

    /// <summary>Everything was found in order: the policies are put in use.</summary>
    internal void TakeEffect()
    {
        foreach (ResiliencePolicy policy in policies)
        {
            Safely.Ask(
                "policy TakeEffect",
                static p =>
                {
                    p.TakeEffect();
                    return true;
                },
                policy,
                false);
        }

        foreach (PolicyEnvironment environment in environments) environment.ForgetFormer();
    }

    /// <summary>The policy of this name; a pipeline inside is looked at as one policy.</summary>
    internal ResiliencePolicy? Find(string policyName)
    {
        int index = Array.IndexOf(names, policyName);
        return index < 0 ? null : policies[index];
    }

    internal List<PolicyState> States()
    {
        List<PolicyState> states = [];
        Collect(states);
        return states;
    }

    private void Collect(List<PolicyState> states)
    {
        for (int i = 0; i < policies.Length; i++)
        {
            if (policies[i] is NestedPipelinePolicy nested) nested.Inner.Collect(states);
            else if (policies[i].StateSafely() is { } state) states.Add(new(names[i], state));
        }
    }

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
    internal PolicyLink<T> Bind<T>(PolicyLink<T> bottom)
    {
        PolicyLink<T> next = bottom;
        for (int i = policies.Length - 1; i >= 0; i--)
        {
            bool isOurs = policies[i].NeverThrows;
            string who = isOurs ? names[i] : $"{names[i]} ({policies[i].GetType().Name})";
            PolicyLink<T> link = policies[i].Bind(isOurs ? next : new SeamLink<T>(next, who))
                ?? throw new InvalidOperationException($"The policy {policies[i].GetType()} bound itself to null.");
            next = isOurs ? link : new GuardLink<T>(link, classifier, who);
        }

        return next;
    }
}

/// <summary>A pipeline as one policy of another: its delegate's ending is judged by the outer pipeline, and when it is updated the outer
/// one follows.</summary>
internal sealed class NestedPipelinePolicy(Func<PipelineParts> inner, string policyName, Type? onlyFor) : ResiliencePolicy
{
    internal PipelineParts Inner => inner();

    internal override bool NeverThrows => true;

    internal override bool HonorsMarks => true; // an update may bring a retry

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) =>
        onlyFor is null || onlyFor == typeof(T)
            ? new Link<T>(inner, next)
            : throw new InvalidOperationException($"The pipeline '{Inner.Name}' is for results of type {onlyFor}, and cannot be used for {typeof(T)}.");

    public override PolicyDescription Describe() => new(policyName, PolicyRole.Pipeline) { Inner = Inner.Describe().Policies };

    /// <summary>Goes on through the links of the inner pipeline as it is now; they are bound anew after each update.</summary>
    private sealed class Link<T> : PolicyLink<T>
    {
        private readonly Func<PipelineParts> _inner;
        private readonly PolicyLink<T> _bottom;
        private Bound _bound;

        internal Link(Func<PipelineParts> inner, PolicyLink<T> bottom)
        {
            _inner = inner;
            _bottom = bottom;
            PipelineParts parts = inner();
            _bound = new(parts, parts.Bind(bottom));
        }

        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            Bound bound = Volatile.Read(ref _bound);
            PipelineParts parts = _inner();
            if (!ReferenceEquals(bound.Parts, parts)) bound = Rebind(parts);
            return bound.Head.ExecuteAsync(context);
        }

        private Bound Rebind(PipelineParts parts)
        {
            try
            {
                Bound bound = new(parts, parts.Bind(_bottom));
                Volatile.Write(ref _bound, bound);
                return bound;
            }
            catch (Exception error) // from a policy that we did not write; a link never throws
            {
                Safely.Report("policy Bind", error);
                return Volatile.Read(ref _bound);
            }
        }

        private sealed record Bound(PipelineParts Parts, PolicyLink<T> Head);
    }
}

namespace Resilience.Extensibility;

/// <summary>One place in a chain, for the rules about the policy that stands there: what is around it, what is inside, and where to say that the order
/// cannot do what its author wants.</summary>
/// <remarks>Policies of nested pipelines stand in the chain as if they had been added there. Used by one thread, while a pipeline is built.</remarks>
public sealed class OrderCheck
{
    private readonly object?[] _states;
    private readonly List<(int[] Places, PipelineWarning Warning)> _found;

    internal OrderCheck(IReadOnlyList<PolicyDescription> chain, int index, object?[] states, List<(int[] Places, PipelineWarning Warning)> found)
    {
        (Chain, Index, _states, _found) = (chain, index, states, found);
    }

    /// <summary>All policies, outermost first.</summary>
    public IReadOnlyList<PolicyDescription> Chain { get; }

    /// <summary>Where in the <see cref="Chain"/> the policy stands that is asked about.</summary>
    public int Index { get; }

    /// <summary>The policy that is asked about.</summary>
    public PolicyDescription Policy => Chain[Index];

    /// <summary>What stands around it, outermost first.</summary>
    public IEnumerable<PolicyDescription> Outside => Chain.Take(Index);

    /// <summary>What stands inside it, outermost first.</summary>
    public IEnumerable<PolicyDescription> Inside => Chain.Skip(Index + 1);

    /// <summary>What stands inside it and is for one of these purposes, outermost first.</summary>
    public IEnumerable<PolicyDescription> InsideAs(params PolicyRole[] roles) => Inside.Where(p => roles.Contains(p.Role));

    /// <summary>What stands around it and is for one of these purposes, outermost first.</summary>
    public IEnumerable<PolicyDescription> OutsideAs(params PolicyRole[] roles) => Outside.Where(p => roles.Contains(p.Role));

    /// <summary>Whether both have the very same object as <see cref="ResiliencePolicy.State"/>, so that each call passes through it twice.</summary>
    /// <param name="other">A policy of the <see cref="Chain"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="other"/> does not stand in the chain.</exception>
    public bool SharesState(PolicyDescription other) => _states[Index] is { } state && ReferenceEquals(state, _states[PlaceOf(other)]);

    /// <summary>Records that the order, or the arithmetic of the options, will not do what its author probably wants.</summary>
    /// <param name="code">A stable code: letters and three digits, such as <c>ABC001</c>. <c>RES</c> is ours.</param>
    /// <param name="message">What is wrong and what to do, with the numbers; the names of the policies are put before it.</param>
    /// <param name="others">The other policies concerned, which stand in the <see cref="Chain"/>.</param>
    /// <exception cref="ArgumentException">One of <paramref name="others"/> does not stand in the chain, or the code or the message is empty.</exception>
    public void Warn(string code, string message, params IReadOnlyList<PolicyDescription> others) => Add(code, message, others, isContradiction: false);

    /// <summary>Records that something which was set can never take effect, whatever happens (<see cref="PipelineWarning.IsContradiction"/>).</summary>
    /// <inheritdoc cref="Warn"/>
    public void Contradict(string code, string message, params IReadOnlyList<PolicyDescription> others) =>
        Add(code, message, others, isContradiction: true);

    private void Add(string code, string message, IReadOnlyList<PolicyDescription> others, bool isContradiction)
    {
        ArgumentException.ThrowIfNullOrEmpty(code);
        ArgumentException.ThrowIfNullOrEmpty(message);
        ArgumentNullException.ThrowIfNull(others);
        int[] places = [.. others.Select(PlaceOf).Append(Index).Order()];
        string[] names = [.. places.Select(p => Chain[p].Name)];
        _found.Add((places, new(code, $"{string.Join(" > ", names)}: {message}", names) { IsContradiction = isContradiction }));
    }

    /// <summary>By reference: two policies may be described by the same words.</summary>
    private int PlaceOf(PolicyDescription policy)
    {
        for (int place = 0; place < Chain.Count; place++)
        {
            if (ReferenceEquals(Chain[place], policy)) return place;
        }

        throw new ArgumentException("The policy is not part of this pipeline.", nameof(policy));
    }
}

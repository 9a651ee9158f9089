using Resilience.Extensibility;

namespace Resilience;

/// <summary>A pipeline as one policy of another: its delegate's outcome is judged by the outer pipeline, and when it is updated the outer
/// one follows.</summary>
internal sealed class NestedPipelinePolicy(Func<PipelineParts> inner, string policyName, Type? onlyFor) : ResiliencePolicy, IOverloadSign
{
    internal PipelineParts Inner => inner();

    /// <summary>Of the policies that the pipeline has now.</summary>
    bool IOverloadSign.ShowsOverload
    {
        get
        {
            foreach (ResiliencePolicy policy in Inner.Policies)
            {
                if (policy is IOverloadSign { ShowsOverload: true }) return true;
            }

            return false;
        }
    }

    void IOverloadSign.BeforeAttempts(ResilienceContext call)
    {
        foreach (ResiliencePolicy policy in Inner.Policies) (policy as IOverloadSign)?.BeforeAttempts(call);
    }

    internal override bool NeverThrows => true;

    internal override bool HonorsMarks => true; // an update may bring a retry

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => BindAround(next, []);

    internal override PolicyLink<T> BindAround<T>(PolicyLink<T> next, IReadOnlyList<IOverloadSign> inside) =>
        onlyFor is null || onlyFor == typeof(T)
            ? new Link<T>(inner, next, inside, isForAny: onlyFor is null)
            : throw new InvalidOperationException($"The pipeline '{Inner.Name}' is for results of type {onlyFor}, and cannot be used for {typeof(T)}.");

    public override PolicyDescription Describe() => new(policyName, PolicyRole.Pipeline) { Inner = Inner.Describe().Policies };

    /// <summary>Goes on through the links of the inner pipeline as it is now; they are bound anew after each update.</summary>
    private sealed class Link<T> : PolicyLink<T>
    {
        private readonly Func<PipelineParts> _inner;
        private readonly PolicyLink<T> _bottom;
        private readonly IReadOnlyList<IOverloadSign> _inside;
        private Bound _bound;

        internal Link(Func<PipelineParts> inner, PolicyLink<T> bottom, IReadOnlyList<IOverloadSign> inside, bool isForAny)
        {
            _inner = inner;
            _bottom = bottom;
            _inside = inside;
            PipelineParts parts = inner();
            _bound = new(parts, parts.Bind(bottom, inside));
            if (isForAny) parts.ChainFor<T>(); // so that the inner pipeline rejects an update which could not be bound here
        }

        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            Bound bound = Volatile.Read(ref _bound);
            PipelineParts parts = _inner();
            if (!ReferenceEquals(bound.Parts, parts)) bound = Rebind(bound, parts);
            return bound.Head.ExecuteAsync(context);
        }

        private Bound Rebind(Bound seen, PipelineParts parts)
        {
            try
            {
                Bound bound = new(parts, parts.Bind(_bottom, _inside));

                // Full fence: the links are whole before they can be found. A thread that has slept over a further update does not put
                // its older links in the place of newer ones; every call compares, so the newest parts are bound at last.
                Interlocked.CompareExchange(ref _bound, bound, seen);
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

using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>A built chain of policies that runs any async delegate. Thread-safe; build one, keep it, share it: its state (breakers,
/// budgets, limits) is what protects you.</summary>
public sealed partial class ResiliencePipeline : IUpdatable<ResiliencePipelineBuilder>
{
    /// <summary>No policies: calls pass straight through, still classified and observed.</summary>
    public static ResiliencePipeline Empty { get; } = new ResiliencePipelineBuilder().Build();

    private readonly UpdateGate _updates = new();
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

    /// <summary>What the rules of this pipeline say of an exception.</summary>
    /// <param name="exception">The exception.</param>
    /// <param name="callCancelled">Whether the caller's token was cancelled: then it is <see cref="Verdict.Ignored"/>, whatever it is.</param>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public Classification Judge(Exception exception, bool callCancelled = false) => Parts.Classifier.Judge(exception, callCancelled);

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
    public void Update(ResiliencePipelineBuilder builder) => UpdateGate.Apply(this, builder);

    /// <summary>Changes several pipelines, each to the policies of its builder, as <see cref="Update"/> does with one: first everything is checked, built
    /// and bound for all of them, and if anything is wrong with one, nothing has changed in any.</summary>
    /// <remarks>Each pipeline changes in one step, one after the other: a call that begins meanwhile may find the new policies in one pipeline and the
    /// old ones in another. Thread-safe; a factory of a builder must not update pipelines.</remarks>
    /// <param name="updates">Each pipeline at most once.</param>
    /// <exception cref="ArgumentNullException"><paramref name="updates"/> is null.</exception>
    /// <exception cref="ArgumentException">A pipeline or a builder is null, or a pipeline stands there twice.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of one pipeline, in one message.</exception>
    /// <exception cref="ResiliencePipelineException">An order cannot work and the builder treats that as an error.</exception>
    /// <exception cref="InvalidOperationException">A factory of a builder has updated one of these pipelines.</exception>
    public static void UpdateAll(IEnumerable<KeyValuePair<ResiliencePipeline, ResiliencePipelineBuilder>> updates) =>
        UpdateGate.ApplyAll(updates);

    UpdateGate IUpdatable<ResiliencePipelineBuilder>.Updates => _updates;

    IPreparedUpdate IUpdatable<ResiliencePipelineBuilder>.Prepare(ResiliencePipelineBuilder builder) => new Prepared(this, builder);

    private sealed class Prepared : IPreparedUpdate
    {
        private readonly ResiliencePipeline _pipeline;
        private readonly PipelineParts _former;
        private readonly PipelineParts _next;

        internal Prepared(ResiliencePipeline pipeline, ResiliencePipelineBuilder builder)
        {
            _pipeline = pipeline;
            _former = pipeline._parts;
            _next = builder.BuildFrom(_former);
            _next.BindAsIn(_former);
        }

        public void RequireSame() => PipelineParts.RequireSame(_former, _pipeline._parts);

        public void TakeEffect()
        {
            _next.TakeEffect(_former);

            // Release: the parts are whole before a call can find them. The one step of the update: chains live in the parts they were
            // bound from, so a first call that still builds on the former parts leaves its chain there.
            Volatile.Write(ref _pipeline._parts, _next);
        }
    }

    // Acquire: pairs with the release in Prepared.
    internal PipelineParts Parts => Volatile.Read(ref _parts);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Chain<T> ChainFor<T>() => Parts.ChainFor<T>();
}

/// <summary>A pipeline for calls of one result type: what a policy that needs to know the type (a fallback value) is built for.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
/// <remarks>Thread-safe; build one, keep it, share it.</remarks>
public sealed partial class ResiliencePipeline<T> : IUpdatable<ResiliencePipelineBuilder<T>>
{
    /// <inheritdoc cref="ResiliencePipeline.Empty"/>
    public static ResiliencePipeline<T> Empty { get; } = new ResiliencePipelineBuilder<T>().Build();

    private readonly UpdateGate _updates = new();
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

    /// <inheritdoc cref="ResiliencePipeline.Judge(Exception, bool)"/>
    public Classification Judge(Exception exception, bool callCancelled = false) => Parts.Classifier.Judge(exception, callCancelled);

    /// <inheritdoc cref="ResiliencePipeline.Update(ResiliencePipelineBuilder)"/>
    public void Update(ResiliencePipelineBuilder<T> builder) => UpdateGate.Apply(this, builder);

    /// <summary>Changes several pipelines, each to the policies of its builder, as <see cref="Update"/> does with one: first everything is checked, built
    /// and bound for all of them, and if anything is wrong with one, nothing has changed in any.</summary>
    /// <remarks>Each pipeline changes in one step, one after the other: a call that begins meanwhile may find the new policies in one pipeline and the
    /// old ones in another. Thread-safe; a factory of a builder must not update pipelines.</remarks>
    /// <param name="updates">Each pipeline at most once.</param>
    /// <exception cref="ArgumentNullException"><paramref name="updates"/> is null.</exception>
    /// <exception cref="ArgumentException">A pipeline or a builder is null, or a pipeline stands there twice.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of one pipeline, in one message.</exception>
    /// <exception cref="ResiliencePipelineException">An order cannot work and the builder treats that as an error.</exception>
    /// <exception cref="InvalidOperationException">A factory of a builder has updated one of these pipelines.</exception>
    public static void UpdateAll(IEnumerable<KeyValuePair<ResiliencePipeline<T>, ResiliencePipelineBuilder<T>>> updates) =>
        UpdateGate.ApplyAll(updates);

    UpdateGate IUpdatable<ResiliencePipelineBuilder<T>>.Updates => _updates;

    IPreparedUpdate IUpdatable<ResiliencePipelineBuilder<T>>.Prepare(ResiliencePipelineBuilder<T> builder) => new Prepared(this, builder);

    private sealed class Prepared : IPreparedUpdate
    {
        private readonly ResiliencePipeline<T> _pipeline;
        private readonly PipelineParts _former;
        private readonly Generation _next;

        internal Prepared(ResiliencePipeline<T> pipeline, ResiliencePipelineBuilder<T> builder)
        {
            _pipeline = pipeline;
            _former = pipeline.Parts;
            PipelineParts next = builder.BuildFrom(_former);
            _next = new(next, next.MakeChain<T>());
        }

        public void RequireSame() => PipelineParts.RequireSame(_former, _pipeline.Parts);

        public void TakeEffect()
        {
            _next.Parts.TakeEffect(_former);
            Volatile.Write(ref _pipeline._live, _next); // release: the links are whole before a call can find them
        }
    }

    internal PipelineParts Parts => Volatile.Read(ref _live).Parts;

    private Chain<T> Chain => Volatile.Read(ref _live).Chain;

    /// <summary>The parts and their chain behind one reference, so that the one is never seen without the other.</summary>
    private sealed class Generation(PipelineParts parts, Chain<T> chain)
    {
        internal readonly PipelineParts Parts = parts;
        internal readonly Chain<T> Chain = chain;
    }
}

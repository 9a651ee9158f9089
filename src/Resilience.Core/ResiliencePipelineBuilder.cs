using System.Diagnostics.Metrics;
using System.Globalization;

namespace Resilience;

/// <summary>Base of the builders: policies are added from the outermost to the innermost; the extension methods <c>Add…</c> stand beside each policy.</summary>
/// <remarks>Not thread-safe. Options are read and checked by <c>Build</c>; later changes to them have no effect.</remarks>
public abstract class ResiliencePipelineBuilderBase
{
    private readonly List<(PolicyOptions Options, Func<PolicyEnvironment, ResiliencePolicy> Create)> _policies = [];
    private readonly List<EventListener> _listeners = [];

    private protected ResiliencePipelineBuilderBase()
    {
    }

    /// <summary>The name of the pipeline in telemetry, rejections and descriptions. Default: empty.</summary>
    public string Name { get; set; } = "";

    /// <summary>The source of time for every policy. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>The source of jitter for every policy. Default: <see cref="Randomness.Shared"/>.</summary>
    public Randomness Randomness { get; set; } = Randomness.Shared;

    /// <summary>Where the meter of the metrics comes from. Default null: the meter of the process. In a container it is the container's, so
    /// that its metrics are its own.</summary>
    public IMeterFactory? MeterFactory { get; set; }

    /// <summary>Decides what each outcome of an attempt means. Default: <see cref="OutcomeClassifier.Default"/>.</summary>
    public OutcomeClassifier Classifier { get; set; } = OutcomeClassifier.Default;

    /// <summary>Where this runs ("Development", "Production"), for policies that do not belong everywhere. Default null: they look at
    /// <c>DOTNET_ENVIRONMENT</c>, then <c>ASPNETCORE_ENVIRONMENT</c>; without either it is Production. In a container it is the host's.</summary>
    public string? EnvironmentName { get; set; }

    /// <summary>Whether findings about the order of the policies stop <c>Build</c>. Default: false, they are kept in
    /// <see cref="ResiliencePipeline.Warnings"/>.</summary>
    public bool TreatWarningsAsErrors { get; set; }

    /// <summary>Whether those findings stop <c>Build</c> that say that something can never take effect
    /// (<see cref="PipelineWarning.IsContradiction"/>). Default: false. Pipelines whose numbers come from configuration, and the standard
    /// pipelines of <c>HttpClient</c>, set it.</summary>
    public bool TreatContradictionsAsErrors { get; set; }

    /// <summary>Codes of findings about the order that you mean (such as <c>RES006</c>): they are neither kept nor treated as errors.</summary>
    public ISet<string> AcceptedWarnings { get; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

    internal void Listen(EventListener listener) => _listeners.Add(listener);

    internal void Add(PolicyOptions options, Func<PolicyEnvironment, ResiliencePolicy> create) => _policies.Add((options, create));

    /// <summary>Checks everything and makes the policies.</summary>
    /// <param name="former">The parts of the pipeline that is being updated; policies of the same name may take over their state.</param>
    private protected PipelineParts BuildParts(PipelineParts? former)
    {
        string name = Name ?? throw new InvalidOperationException("The pipeline's Name is null; leave it empty instead.");
        Clock clock = Clock.For(TimeProvider ?? throw new InvalidOperationException("The pipeline's TimeProvider is null."));
        Randomness randomness = Randomness ?? throw new InvalidOperationException("The pipeline's Randomness is null.");
        OutcomeClassifier classifier = Classifier ?? throw new InvalidOperationException("The pipeline's Classifier is null.");

        OptionProblem[] problems = [.. _policies.SelectMany(p => p.Options.FindProblems())];
        if (problems.Length > 0) throw new ResilienceOptionsException(problems);

        Meter meter = ResilienceTelemetry.MeterOf(MeterFactory);
        EventListener[] listeners = [.. _listeners];
        if (listeners.Length > 0) classifier = classifier.TellingOf(new(new(name, "classifier", clock, randomness, classifier, listeners, meter)));
        string[] names = NamePolicies();
        ResiliencePolicy[] policies = new ResiliencePolicy[_policies.Count];
        PolicyEnvironment[] environments = new PolicyEnvironment[policies.Length];
        for (int i = 0; i < policies.Length; i++)
        {
            environments[i] = new(name, names[i], clock, randomness, classifier, listeners, meter, former?.Find(names[i]), EnvironmentName);
            policies[i] = _policies[i].Create(environments[i])
                ?? throw new InvalidOperationException($"The factory of policy '{names[i]}' returned null.");
        }

        IReadOnlyList<PipelineWarning> warnings =
        [
            .. PipelineOrder.Check([.. policies.Select(p => p.DescribeSafely())])
                .Concat(PipelineOrder.CheckShared(policies)).Where(w => !AcceptedWarnings.Contains(w.Code)),
        ];
        PipelineWarning[] errors = [.. warnings.Where(w => TreatWarningsAsErrors || (TreatContradictionsAsErrors && w.IsContradiction))];
        if (errors.Length > 0) throw new ResiliencePipelineException(name, errors);
        return new(name, policies, names, environments, clock, CallInstruments.For(meter), classifier, Describe(), warnings);
    }

    /// <summary>The settings of the pipeline as people read them. Its name and its policies stand beside them.</summary>
    private KeyValuePair<string, string>[] Describe() =>
    [
        new("classifier", Classifier.ToString()),
        new("time", TimeProvider == TimeProvider.System ? "the system's" : TimeProvider.GetType().Name),
        new("randomness", Randomness == Randomness.Shared ? "shared" : Randomness.GetType().Name),
        new("meter", MeterFactory is null ? "of the process" : MeterFactory.GetType().Name),
        new("warnings", TreatWarningsAsErrors ? "errors" : TreatContradictionsAsErrors ? "contradictions are errors" : "kept"),
        new("accepted", AcceptedWarnings.Count == 0 ? "none" : string.Join(" ", AcceptedWarnings.Order(StringComparer.OrdinalIgnoreCase))),
        new("environment", EnvironmentName ?? "not said"),
        new("listeners", _listeners.Count.ToString(CultureInfo.InvariantCulture)),
    ];

    /// <summary>A policy without a name is called after its kind; the second of a kind gets a number.</summary>
    private string[] NamePolicies()
    {
        HashSet<string> taken = [.. _policies.Select(p => p.Options.Name).OfType<string>()];
        return [.. _policies.Select(p => p.Options.Name ?? Unused(p.Options.Kind, taken))];
    }

    private static string Unused(string kind, HashSet<string> taken)
    {
        string name = kind;
        for (int number = 2; !taken.Add(name); number++) name = $"{kind}-{number}";
        return name;
    }
}

/// <summary>Builds a pipeline for calls of any result type.</summary>
/// <inheritdoc cref="ResiliencePipelineBuilderBase" path="/remarks"/>
public sealed class ResiliencePipelineBuilder : ResiliencePipelineBuilderBase
{
    /// <summary>Checks everything and builds the pipeline. May be called again: each pipeline has state of its own.</summary>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    /// <exception cref="ResiliencePipelineException">The order cannot work and
    /// <see cref="ResiliencePipelineBuilderBase.TreatWarningsAsErrors"/> or
    /// <see cref="ResiliencePipelineBuilderBase.TreatContradictionsAsErrors"/> is set.</exception>
    public ResiliencePipeline Build() => new(BuildParts(null));

    internal PipelineParts BuildFrom(PipelineParts former) => BuildParts(former);
}

/// <summary>Builds a pipeline for calls of one result type.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
/// <inheritdoc cref="ResiliencePipelineBuilderBase" path="/remarks"/>
public sealed class ResiliencePipelineBuilder<T> : ResiliencePipelineBuilderBase
{
    /// <inheritdoc cref="ResiliencePipelineBuilder.Build"/>
    public ResiliencePipeline<T> Build() => new(BuildParts(null));

    internal PipelineParts BuildFrom(PipelineParts former) => BuildParts(former);
}

/// <summary>The policies stand in an order that cannot work, and the builder was told to treat that as an error.</summary>
public sealed class ResiliencePipelineException : InvalidOperationException
{
    internal ResiliencePipelineException(string pipelineName, IReadOnlyList<PipelineWarning> warnings)
        : base($"The pipeline '{pipelineName}' will not do what it seems to:"
            + string.Concat(warnings.Select(w => $"{Environment.NewLine}  {w}"))) =>
            Warnings = warnings;

    /// <summary>The findings.</summary>
    public IReadOnlyList<PipelineWarning> Warnings { get; }
}

/// <summary>What every builder can do.</summary>
public static class ResiliencePipelineBuilderExtensions
{
    /// <summary>Adds a policy that exists already. A policy that is added to several pipelines shares its state between them.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddPolicy<TBuilder>(this TBuilder builder, ResiliencePolicy policy)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(policy);
        return builder.AddPolicy(new NoOptions(), _ => policy);
    }

    /// <summary>Adds a policy that is made when the pipeline is built: once its options were found in order, with the pipeline's
    /// time, randomness and listeners.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddPolicy<TBuilder>(this TBuilder builder, PolicyOptions options, Func<PolicyEnvironment, ResiliencePolicy> create)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(create);
        builder.Add(options, create);
        return builder;
    }

    /// <summary>Adds a whole pipeline as one policy. It keeps its own state and time; the outcomes are judged by the outer pipeline's classifier.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddPipeline<TBuilder>(this TBuilder builder, ResiliencePipeline pipeline)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        return builder.AddPolicy(new PipelineOptions(), e => new NestedPipelinePolicy(() => pipeline.Parts, e.PolicyName, null));
    }

    /// <summary>Adds a whole pipeline of the same result type as one policy.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ResiliencePipelineBuilder<T> AddPipeline<T>(this ResiliencePipelineBuilder<T> builder, ResiliencePipeline<T> pipeline)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        return builder.AddPolicy(new PipelineOptions(), e => new NestedPipelinePolicy(() => pipeline.Parts, e.PolicyName, typeof(T)));
    }

    /// <summary>Decides what each outcome means by adding rules to the present classifier.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder Classify<TBuilder>(this TBuilder builder, Func<OutcomeClassifier, OutcomeClassifier> rules)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(rules);
        builder.Classifier = rules(builder.Classifier);
        return builder;
    }

    /// <summary>Adds a listener for everything that the policies of this pipeline do. It runs on the thread of the call, so keep it
    /// short; what it throws is counted and swallowed.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder OnEvent<TBuilder>(this TBuilder builder, Action<ResilienceEvent> listener)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(listener);
        builder.Listen(new(listener));
        return builder;
    }

    /// <summary>Adds a listener that comes and goes while the pipeline runs. Changes of state (<see cref="CircuitChanged"/>) are always told;
    /// events of single calls are made for it only while <paramref name="observesCalls"/> says so, and cost nothing otherwise.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="listener">As in the other form. It may hear more than it wants, when others listen too.</param>
    /// <param name="observesCalls">Asked at each retry, rejection and the like, on the thread of the call: read a field, no more.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder OnEvent<TBuilder>(this TBuilder builder, Action<ResilienceEvent> listener, Func<bool> observesCalls)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(listener);
        ArgumentNullException.ThrowIfNull(observesCalls);
        builder.Listen(new(listener, observesCalls));
        return builder;
    }

    private sealed class NoOptions : PolicyOptions
    {
        protected internal override string Kind => "policy";

        protected internal override void Check(OptionsCheck check)
        {
        }
    }

    private sealed class PipelineOptions : PolicyOptions
    {
        protected internal override string Kind => "pipeline";

        protected internal override void Check(OptionsCheck check)
        {
        }
    }
}

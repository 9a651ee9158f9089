using System.Diagnostics.Metrics;
using System.Globalization;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Base of the builders: policies are added from the outermost to the innermost; the extension methods <c>Add…</c> stand beside each policy.</summary>
/// <remarks>Not thread-safe. Options are read and checked by <c>Build</c>; later changes to them have no effect.</remarks>
public abstract class ResiliencePipelineBuilderBase
{
    private readonly List<(PolicyOptions Options, Func<PolicyOptions, PolicyEnvironment, ResiliencePolicy> Create)> _policies = [];
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

    internal void Add(PolicyOptions options, Func<PolicyOptions, PolicyEnvironment, ResiliencePolicy> create) => _policies.Add((options, create));

    /// <summary>Checks everything and makes the policies.</summary>
    /// <param name="former">The parts of the pipeline that is being updated; policies of the same name may take over their state.</param>
    private protected PipelineParts BuildParts(PipelineParts? former)
    {
        string name = Name ?? throw new InvalidOperationException("The pipeline's Name is null; leave it empty instead.");
        Clock clock = Clock.For(TimeProvider ?? throw new InvalidOperationException("The pipeline's TimeProvider is null."));
        Randomness randomness = Randomness ?? throw new InvalidOperationException("The pipeline's Randomness is null.");
        OutcomeClassifier classifier = Classifier ?? throw new InvalidOperationException("The pipeline's Classifier is null.");

        PolicyOptions[] options = [.. _policies.Select(p => p.Options.Copy())]; // before the check: what is checked is what is used
        OptionProblem[] problems = [.. options.SelectMany(o => o.FindProblems())];
        if (problems.Length > 0) throw new ResilienceOptionsException(problems);

        Meter meter = ResilienceTelemetry.MeterOf(MeterFactory);
        EventListener[] listeners = [.. _listeners];
        if (listeners.Length > 0)
        {
            PolicyEnvironment door = new(name, "classifier", clock, randomness, classifier, listeners, meter);
            classifier = classifier.TellingOf(new((answer, isResult) => door.Report(new RuleVerdictIgnored(name, answer, isResult))));
        }

        string[] names = NamePolicies(options);
        ResiliencePolicy[] policies = new ResiliencePolicy[_policies.Count];
        PolicyEnvironment[] environments = new PolicyEnvironment[policies.Length];
        for (int i = 0; i < policies.Length; i++)
        {
            environments[i] = new(name, names[i], clock, randomness, classifier, listeners, meter, former?.Find(names[i]), EnvironmentName)
            {
                ResultType = ResultType,
            };
            policies[i] = _policies[i].Create(options[i], environments[i])
                ?? throw new InvalidOperationException($"The factory of policy '{names[i]}' returned null.");
        }

        IReadOnlyList<PipelineWarning> warnings = [.. PipelineOrder.Check(policies).Concat(CheckRules()).Where(w => !AcceptedWarnings.Contains(w.Code))];
        PipelineWarning[] errors = [.. warnings.Where(w => TreatWarningsAsErrors || (TreatContradictionsAsErrors && w.IsContradiction))];
        if (errors.Length > 0) throw new ResiliencePipelineException(name, errors);
        return new(name, policies, names, environments, clock, CallInstruments.For(meter), classifier, Describe(), warnings);
    }

    /// <summary>The type of result of every call; null where calls may have any.</summary>
    private protected virtual Type? ResultType => null;

    /// <summary>Rules for results that no call of this pipeline gives.</summary>
    private IEnumerable<PipelineWarning> CheckRules()
    {
        if (ResultType is not { } type || Classifier.ResultsNeverMet(type) is not { Count: > 0 } never) yield break;
        yield return new(
            "RES021",
            $"the rules for results of {string.Join(" and ", never.Select(NameOf))} are never asked: calls of this pipeline give {NameOf(type)}, which is none "
            + "of these. Write them for that type, or take them out.",
            []);
    }

    /// <summary>As it is written: <c>Task&lt;String></c>.</summary>
    private static string NameOf(Type type) => !type.IsGenericType ? type.Name
        : $"{type.Name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>";

    /// <summary>The settings of the pipeline as people read them, where they are not the defaults. Its name and its policies stand beside them.</summary>
    private KeyValuePair<string, string>[] Describe()
    {
        List<KeyValuePair<string, string>> settings = [];
        Add("classifier", ReferenceEquals(Classifier, OutcomeClassifier.Default) ? null : Classifier.ToString());
        Add("time provider", TimeProvider == TimeProvider.System ? null : TimeProvider.GetType().Name);
        Add("randomness", Randomness == Randomness.Shared ? null : Randomness.GetType().Name);
        Add("meter factory", MeterFactory?.GetType().Name);
        Add("errors", TreatWarningsAsErrors ? "all warnings" : TreatContradictionsAsErrors ? "contradictions" : null);
        Add("accepted warnings", AcceptedWarnings.Count == 0 ? null : string.Join(" ", AcceptedWarnings.Order(StringComparer.OrdinalIgnoreCase)));
        Add("environment", EnvironmentName);
        Add("listeners", _listeners.Count == 0 ? null : _listeners.Count.ToString(CultureInfo.InvariantCulture));
        return [.. settings];

        void Add(string name, string? value)
        {
            if (value is not null) settings.Add(new(name, value));
        }
    }

    /// <summary>A policy without a name is called after its kind; the second of a kind gets a number.</summary>
    private static string[] NamePolicies(PolicyOptions[] options)
    {
        HashSet<string> taken = [.. options.Select(o => o.Name).OfType<string>()];
        return [.. options.Select(o => o.Name ?? Unused(o.Kind, taken))];
    }

    private static string Unused(string kind, HashSet<string> taken)
    {
        string name = kind;
        for (int number = 2; !taken.Add(name); number++) name = $"{kind}-{number}";
        return name;
    }
}

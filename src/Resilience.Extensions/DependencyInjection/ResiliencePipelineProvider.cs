using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Resilience.Configuration;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Gives the pipelines that were registered with <c>services.AddResilience().AddPipeline(…)</c>: each is built once, when it is
/// first asked for, and kept. Thread-safe; disposed with the container.</summary>
public sealed class ResiliencePipelineProvider : IStartCheck, IDisposable
{
    private readonly IServiceProvider _services;
    private readonly Dictionary<PipelineKey, List<PipelineRegistration>> _registered;
    private readonly IConfiguration[] _sections;
    private readonly Lazy<ConfigurablePolicies> _policies;
    private readonly BuildGate<PipelineKey> _builds = new("pipeline");
    private readonly List<BuiltPipeline> _inOrder = [];
    private readonly ConcurrentDictionary<PipelineKey, BuiltPipeline> _built = new();
    private readonly object _gate = new(); // for the list alone: no code of others runs inside
    private readonly ReloadList _reloads;

    /// <summary>Made by the container.</summary>
    [SuppressMessage("Design", "CA1062", Justification = "The container gives no nulls.")]
    public ResiliencePipelineProvider(IServiceProvider services)
    {
        _services = services;
        _reloads = new(this);
        _policies = new(() => ConfigurablePolicies.With(services.GetServices<PlacedPolicy>()));
        _registered = services.GetServices<PipelineRegistration>().GroupBy(r => r.Key).ToDictionary(g => g.Key, g => g.ToList());
        _sections =
        [
            .. services.GetServices<PipelinesSection>().Select(s => s.Section ?? services.GetRequiredService<IConfiguration>().GetSection(s.Path!)),
        ];
    }

    /// <summary>The names of all registered pipelines, those that stand in configuration now included.</summary>
    public IReadOnlyCollection<string> Names =>
        [.. _registered.Keys.Select(k => k.Name).Concat(_sections.SelectMany(s => s.GetChildren()).Select(c => c.Key)).Distinct(StringComparer.Ordinal)];

    /// <summary>The pipelines for any result type that were built so far.</summary>
    public IReadOnlyList<ResiliencePipeline> Built
    {
        get
        {
            lock (_gate) return [.. _inOrder.Select(b => b.Pipeline).OfType<ResiliencePipeline>()];
        }
    }

    /// <summary>All pipelines that were built so far, typed ones included: to look at, not to call.</summary>
    public IReadOnlyList<PipelineView> Views
    {
        get
        {
            lock (_gate) return [.. _inOrder.Select(b => new PipelineView(b))];
        }
    }

    /// <summary>The circuits, budgets and limits of all pipelines that were built so far, typed ones included.</summary>
    public IReadOnlyList<PipelineState> States
    {
        get
        {
            BuiltPipeline[] built;
            lock (_gate) built = [.. _inOrder];
            return [.. built.SelectMany(b => b.States().Select(s => new PipelineState(b.Registration.ToString(), s)))];
        }
    }

    /// <summary>The pipeline of this name.</summary>
    /// <exception cref="KeyNotFoundException">No pipeline of this name is registered.</exception>
    /// <exception cref="InvalidOperationException">The name is registered twice, or the pipeline needs itself.</exception>
    /// <exception cref="OptionsValidationException">Its configuration is wrong: everything, in one message, with the paths.</exception>
    /// <exception cref="ObjectDisposedException">The container has been disposed of.</exception>
    public ResiliencePipeline GetPipeline(string name) => (ResiliencePipeline)Get(name, null);

    /// <summary>The pipeline of this name for results of this type.</summary>
    /// <inheritdoc cref="GetPipeline(string)"/>
    public ResiliencePipeline<T> GetPipeline<T>(string name) => (ResiliencePipeline<T>)Get(name, typeof(T));

    /// <summary>A pipeline like the one of this name, with a state of its own, for a part of what is called: a server, a tenant, a queue. It is made when
    /// it is first asked for and kept; it follows the configuration that the name stands in, and is shown and checked under both names.</summary>
    /// <param name="name">The name that was registered, or that no registration has.</param>
    /// <param name="partition">The part. Of few distinct values: each has policies and metrics of its own.</param>
    /// <param name="complete">Is run after what was registered, each time that the policies are made. Its second argument says whether there was
    /// anything: if not, it adds the policies. Default null: a name that is not registered is an error.</param>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> or <paramref name="partition"/> is null.</exception>
    /// <inheritdoc cref="GetPipeline(string)" path="/exception"/>
    public ResiliencePipeline GetPipeline(string name, string partition, Action<ResiliencePipelineBuilder, bool>? complete = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(partition);
        _reloads.ThrowIfDisposed();
        PipelineKey key = new($"{name} {partition}", null);
        if (_built.TryGetValue(key, out BuiltPipeline? known)) return (ResiliencePipeline)known.Pipeline;
        PlainRegistration? pattern = (PlainRegistration?)RegistrationOf(name, null);
        if (pattern is null && complete is null) return GetPipeline(name); // which says what is wrong
        PlainRegistration registration = PlainRegistration.ForPartition(key.Name, pattern, complete);
        return (ResiliencePipeline)_builds.GetOrBuild(key, k => _built.GetValueOrDefault(k), _ => Build(registration)).Pipeline;
    }

    /// <summary>As <see cref="GetPipeline(string)"/>, with false for a name that is not registered, and when the container has been disposed of: a
    /// host that stops is no error of who asks.</summary>
    public bool TryGetPipeline(string name, [NotNullWhen(true)] out ResiliencePipeline? pipeline)
    {
        pipeline = (ResiliencePipeline?)TryFind(name, null);
        return pipeline is not null;
    }

    /// <summary>As <see cref="GetPipeline{T}(string)"/>, with false for a name that is not registered for this type, and when the container has been
    /// disposed of.</summary>
    public bool TryGetPipeline<T>(string name, [NotNullWhen(true)] out ResiliencePipeline<T>? pipeline)
    {
        pipeline = (ResiliencePipeline<T>?)TryFind(name, typeof(T));
        return pipeline is not null;
    }

    /// <summary>Ends the listening to configuration. It may wait for a reload that is under way.</summary>
    public void Dispose() => _reloads.Dispose();

    IEnumerable<string> IStartCheck.FindProblems()
    {
        foreach (IConfigurationSection section in _sections.OfType<IConfigurationSection>().Where(s => !s.GetChildren().Any()))
            yield return $"{section.Path} has no pipelines: the section is missing or empty";
        IEnumerable<PipelineKey> all =
            _registered.Keys.Concat(_sections.SelectMany(s => s.GetChildren()).Select(c => new PipelineKey(c.Key, null))).Distinct();
        foreach ((string name, Type? result) in all)
        {
            List<string> problems = [];
            try
            {
                Find(name, result);
            }
            catch (OptionsValidationException wrong)
            {
                problems.AddRange(wrong.Failures);
            }
            catch (InvalidOperationException wrong)
            {
                problems.Add(SafeCalls.MessageOf(wrong));
            }
            catch (Exception error) when (error is not ObjectDisposedException)
            {
                problems.Add($"The pipeline '{name}' could not be built: {SafeCalls.MessageOf(error)}");
            }

            foreach (string problem in problems) yield return problem;
        }
    }

    private object Get(string name, Type? result) => Find(name, result) ?? throw new KeyNotFoundException(
        $"No pipeline '{new PipelineKey(name, result)}' is registered; {(Known() is { Length: > 0 } known ? $"known are: {known}" : "there are none")}.");

    /// <summary>As people write them: a pipeline for one type of result is another than one for any.</summary>
    private string Known()
    {
        IEnumerable<string> ofCode = _registered.Keys.Select(k => k.ToString());
        return string.Join(", ", ofCode.Concat(_sections.SelectMany(s => s.GetChildren()).Select(c => c.Key)).Distinct().Order(StringComparer.Ordinal));
    }

    /// <summary>The services that a pipeline is built from may go before the provider does.</summary>
    private object? TryFind(string name, Type? result)
    {
        try
        {
            return Find(name, result);
        }
        catch (ObjectDisposedException) when (_reloads.IsDisposed || ContainerSetup.IsGone(_services))
        {
            return null;
        }
    }

    private object? Find(string name, Type? result)
    {
        ArgumentNullException.ThrowIfNull(name);
        _reloads.ThrowIfDisposed();
        PipelineKey key = new(name, result);
        if (_built.TryGetValue(key, out BuiltPipeline? known)) return known.Pipeline;
        return RegistrationOf(name, result) is { } registration
            ? _builds.GetOrBuild(key, k => _built.GetValueOrDefault(k), _ => Build(registration)).Pipeline
            : null;
    }

    /// <summary>Keeps what was built, unless the provider was disposed of meanwhile.</summary>
    private BuiltPipeline Keep(BuiltPipeline built, IDisposable? reload)
    {
        if (reload is null) _reloads.ThrowIfDisposed();
        else _reloads.Add(reload);
        lock (_gate) _inOrder.Add(built);
        _built[built.Registration.Key] = built;
        return built;
    }

    private PipelineRegistration? RegistrationOf(string name, Type? result)
    {
        List<PipelineRegistration> all = [.. _registered.GetValueOrDefault(new(name, result)) ?? []];
        if (result is null && name.Length > 0)
        {
            // Looked up when asked, so a pipeline that was added to the file after the start is there too.
            all.AddRange(_sections.SelectMany(s => s.GetChildren())
                .Where(s => string.Equals(s.Key, name, StringComparison.OrdinalIgnoreCase)).Select(FromSection));
        }

        return all.Count <= 1 ? all.FirstOrDefault() : throw new InvalidOperationException(
            $"The pipeline '{all[0]}' is registered more than once. Call RemovePipeline(\"{name}\") before the registration that is to replace the other.");
    }

    internal static PipelineRegistration FromSection(IConfigurationSection section) =>
        new PlainRegistration(section.Key, static (pipeline, settings, _) => pipeline.AddPolicies(settings!)) { Section = section };

    private BuiltPipeline Build(PipelineRegistration registration)
    {
        ILogger logger = ContainerSetup.Logger(_services);
        IConfiguration? section = registration.Path is { } known ? _services.GetRequiredService<IConfiguration>().GetSection(known) : registration.Section;
        if (section is null)
        {
            return Keep(Warned(registration.Build(NewBuilder(registration, null, logger)), logger), null);
        }

        string path = (section as IConfigurationSection)?.Path ?? "";
        SettingsReload<PipelineSettings> reload = new(
            registration.Name, section, path, (s, p) => SettingsReader.ReadPipeline(s, p, _policies.Value), mustExist: true,
            logger, ContainerSetup.Reloads(_services));
        try
        {
            SettingsReading<PipelineSettings> reading = reload.Read();
            if (reading.IsEmpty) throw Wrong(registration, reading.Problems.Select(p => p.ToString()));
            ResiliencePipelineBuilderBase first = NewBuilder(registration, reading.Settings, logger);
            if (reading.Problems.Count > 0)
                throw Wrong(registration, reading.Problems.Select(p => p.ToString()).Concat(OutOfRange(registration, first, path)));
            BuiltPipeline built = Warned(Located(registration, first, path, () => registration.Build(first)), logger);
            reload.Start(reading.Settings, settings =>
            {
                ResiliencePipelineBuilderBase next = NewBuilder(registration, settings, logger);
                Located(registration, next, path, () =>
                {
                    registration.Update(built, next);
                    return Warned(built, logger);
                });
            });
            return Keep(built, reload);
        }
        catch
        {
            reload.Dispose();
            throw;
        }
    }

    private static BuiltPipeline Warned(BuiltPipeline built, ILogger logger)
    {
        foreach (PipelineWarning warning in built.Describe().Warnings)
            ResilienceLog.PipelineWarning(logger, built.Registration.Name, warning.Code, warning.Message);
        return built;
    }

    private ResiliencePipelineBuilderBase NewBuilder(PipelineRegistration registration, PipelineSettings? settings, ILogger logger)
    {
        ResiliencePipelineBuilderBase builder = registration.NewBuilder();
        builder.Name = registration.Name;
        builder.TreatContradictionsAsErrors = settings is not null;
        ContainerSetup.Apply(builder, _services, logger);
        foreach (string code in settings?.AcceptedWarnings ?? []) builder.AcceptedWarnings.Add(code);
        registration.Configure(builder, settings, _services);
        return builder;
    }

    /// <summary>What else is wrong with settings of which some could not be read: in one message with those.</summary>
    private static string[] OutOfRange(PipelineRegistration registration, ResiliencePipelineBuilderBase builder, string path)
    {
        try
        {
            registration.Build(builder);
            return [];
        }
        catch (ResilienceOptionsException wrong)
        {
            return [.. wrong.Problems.Select(p => SettingsBuilderExtensions.Locate(builder, p, path).ToString())];
        }
        catch (Exception) // what does not fit together may do so with the settings that could not be read
        {
            return [];
        }
    }

    /// <summary>Says where in the configuration the problems stand.</summary>
    private static BuiltPipeline Located(
        PipelineRegistration registration, ResiliencePipelineBuilderBase builder, string path, Func<BuiltPipeline> build)
    {
        try
        {
            return build();
        }
        catch (ResilienceOptionsException wrong)
        {
            throw Wrong(registration, wrong.Problems.Select(p => SettingsBuilderExtensions.Locate(builder, p, path).ToString()));
        }
        catch (ResiliencePipelineException wrong)
        {
            throw Wrong(registration, wrong.Warnings.Select(w => $"{path}: {w}"));
        }
    }

    private static OptionsValidationException Wrong(PipelineRegistration registration, IEnumerable<string> problems) =>
        new(registration.Name, typeof(PipelineSettings), problems);
}

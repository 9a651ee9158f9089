using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Resilience;

/// <summary>A pipeline that somebody registered.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Section">Where its settings stand, if they do.</param>
/// <param name="Path">The path of the section, when it is the container that knows the configuration.</param>
/// <param name="Configure">Adds the policies; the settings are null unless there is a section.</param>
internal sealed record PipelineRegistration(
    string Name, IConfiguration? Section, string? Path, Action<ResiliencePipelineBuilder, PipelineSettings?, IServiceProvider> Configure);

/// <summary>Gives the pipelines that were registered with <c>services.AddResilience().AddPipeline(…)</c>: each is built once, when it is
/// first asked for, and kept. Thread-safe; disposed with the container.</summary>
public sealed class ResiliencePipelineProvider : IStartCheck, IDisposable
{
    private readonly IServiceProvider _services;
    private readonly Dictionary<string, List<PipelineRegistration>> _registered;
    private readonly Dictionary<string, ResiliencePipeline> _built = new(StringComparer.Ordinal);
    private readonly List<IDisposable> _reloads = [];
    private readonly HashSet<string> _building = [];

    // One lock for all, entered again by a factory that asks for another pipeline: two factories can never wait for each other.
    private readonly Lock _gate = new();
    private bool _isDisposed;

    /// <summary>Made by the container.</summary>
    [SuppressMessage("Design", "CA1062", Justification = "The container gives no nulls.")]
    public ResiliencePipelineProvider(IServiceProvider services)
    {
        _services = services;
        _registered = services.GetServices<PipelineRegistration>().GroupBy(r => r.Name, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.ToList(), StringComparer.Ordinal);
    }

    /// <summary>The names of all registered pipelines.</summary>
    public IReadOnlyCollection<string> Names => _registered.Keys;

    /// <summary>The pipelines that were built so far.</summary>
    public IReadOnlyList<ResiliencePipeline> Built
    {
        get
        {
            lock (_gate) return [.. _built.Values];
        }
    }

    /// <summary>The pipeline of this name.</summary>
    /// <exception cref="KeyNotFoundException">No pipeline of this name is registered.</exception>
    /// <exception cref="InvalidOperationException">The name is registered twice, or the pipeline needs itself.</exception>
    /// <exception cref="OptionsValidationException">Its configuration is wrong: everything, in one message, with the paths.</exception>
    /// <exception cref="ObjectDisposedException">The container has been disposed of.</exception>
    public ResiliencePipeline GetPipeline(string name) => TryGetPipeline(name, out ResiliencePipeline? pipeline)
        ? pipeline
        : throw new KeyNotFoundException($"No pipeline '{name}' is registered; known are: {string.Join(", ", Names.Order(StringComparer.Ordinal))}.");

    /// <summary>As <see cref="GetPipeline"/>, with false for a name that is not registered.</summary>
    public bool TryGetPipeline(string name, [NotNullWhen(true)] out ResiliencePipeline? pipeline)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_built.TryGetValue(name, out pipeline)) return true;
            if (!_registered.TryGetValue(name, out List<PipelineRegistration>? registrations)) return false;
            if (registrations.Count > 1) throw new InvalidOperationException(RegisteredTwice(name));
            if (!_building.Add(name)) throw new InvalidOperationException($"The pipeline '{name}' needs itself, by way of {string.Join(" > ", _building)}.");
            try
            {
                pipeline = Build(registrations[0]);
                _built.Add(name, pipeline);
                return true;
            }
            finally
            {
                _building.Remove(name);
            }
        }
    }

    /// <summary>Ends the listening to configuration.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            foreach (IDisposable reload in _reloads) reload.Dispose();
            _reloads.Clear();
        }
    }

    IEnumerable<string> IStartCheck.FindProblems()
    {
        foreach ((string name, List<PipelineRegistration> registrations) in _registered)
        {
            List<string> problems = [];
            try
            {
                if (registrations.Count > 1) problems.Add(RegisteredTwice(name));
                else GetPipeline(name);
            }
            catch (OptionsValidationException wrong)
            {
                problems.AddRange(wrong.Failures);
            }
            catch (Exception error) when (error is not ObjectDisposedException)
            {
                problems.Add($"The pipeline '{name}' could not be built: {error.Message}");
            }

            foreach (string problem in problems) yield return problem;
        }
    }

    private static string RegisteredTwice(string name) =>
        $"The pipeline '{name}' is registered more than once. Say RemovePipeline(\"{name}\") before the registration that is to replace the other.";

    private ResiliencePipeline Build(PipelineRegistration registration)
    {
        ILogger logger = ContainerSetup.Logger(_services);
        IConfiguration? section = registration.Path is { } known ? _services.GetRequiredService<IConfiguration>().GetSection(known) : registration.Section;
        if (section is null) return Warned(NewBuilder(registration, null, logger).Build(), logger);

        string path = (section as IConfigurationSection)?.Path ?? "";
        SettingsReload<PipelineSettings> reload = new(registration.Name, section, path, SettingsReader.ReadPipeline, mustExist: true, logger);
        try
        {
            SettingsReading<PipelineSettings> reading = reload.Read();
            if (reading.Problems.Count > 0) throw Wrong(registration, reading.Problems.Select(p => p.ToString()));
            ResiliencePipelineBuilder first = NewBuilder(registration, reading.Settings, logger);
            ResiliencePipeline pipeline = Located(registration, first, path, first.Build);
            reload.Start(reading.Settings, settings =>
            {
                ResiliencePipelineBuilder next = NewBuilder(registration, settings, logger);
                Located(registration, next, path, () =>
                {
                    pipeline.Update(next);
                    return pipeline;
                });
            });
            _reloads.Add(reload);
            return pipeline;
        }
        catch
        {
            reload.Dispose();
            throw;
        }
    }

    private ResiliencePipelineBuilder NewBuilder(PipelineRegistration registration, PipelineSettings? settings, ILogger logger)
    {
        ResiliencePipelineBuilder builder = new() { Name = registration.Name, TreatWarningsAsErrors = settings is not null };
        ContainerSetup.Apply(builder, _services, logger);
        foreach (string code in settings?.AcceptedWarnings ?? []) builder.AcceptedWarnings.Add(code);
        registration.Configure(builder, settings, _services);
        return builder;
    }

    /// <summary>Says where in the configuration the problems stand.</summary>
    private static ResiliencePipeline Located(
        PipelineRegistration registration, ResiliencePipelineBuilder builder, string path, Func<ResiliencePipeline> build)
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

    private static ResiliencePipeline Warned(ResiliencePipeline pipeline, ILogger logger)
    {
        foreach (PipelineWarning warning in pipeline.Warnings) ResilienceLog.PipelineWarning(logger, pipeline.Name, warning.Code, warning.Message);
        return pipeline;
    }
}

using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Resilience.Extensibility;

namespace Resilience.Configuration;

/// <summary>Options in a section of the configuration, for packages that make pipelines of their own in a container: read once, with everything that is wrong
/// in one message, and followed from then on. Thread-safe; dispose of it with what was made of the options.</summary>
/// <typeparam name="TOptions">The options. What can be set stands in their <see cref="PolicyOptions.Settings"/>.</typeparam>
public sealed class OptionsSection<TOptions> : IDisposable
    where TOptions : PolicyOptions
{
    private readonly string _name;
    private readonly string _path;
    private readonly Func<TOptions> _newOptions;
    private readonly SettingsSchema _schema;
    private readonly SettingsReload<SettingsValues> _reload;
    private TOptions? _first; // those whose settings were asked for, for the first use; later ones are made anew

    /// <summary>Begins to listen.</summary>
    /// <param name="services">The container, on which <c>AddResilience</c> was called.</param>
    /// <param name="name">What is made of the options, such as the client: for the log and <c>resilience.configuration.reloads</c>.</param>
    /// <param name="section">The section. An empty one, and unknown keys in it, are errors.</param>
    /// <param name="newOptions">Makes the options as the code has them; the section overrides it. Runs at each change again.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public OptionsSection(IServiceProvider services, string name, IConfiguration section, Func<TOptions> newOptions)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(section);
        ArgumentNullException.ThrowIfNull(newOptions);
        _name = name;
        _path = (section as IConfigurationSection)?.Path ?? "";
        _newOptions = newOptions;
        _first = newOptions();
        _schema = new("", PolicySettings.Of(_first));
        _reload = new(
            name, section, _path, (read, path) => SettingsReader.Read(read, path, _schema), mustExist: true, ContainerSetup.Logger(services),
            ContainerSetup.Reloads(services));
    }

    /// <summary>Makes something of the options, and keeps it in step with the section: a change that is wrong is logged, and the last good options stay.
    /// Called once.</summary>
    /// <param name="make">Makes it of the options.</param>
    /// <param name="update">Puts other options to use, or throws and leaves everything as it was. Never called twice at once.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="OptionsValidationException">The section or the options are wrong: everything, in one message, by the paths of the keys.</exception>
    public TMade Follow<TMade>(Func<TOptions, TMade> make, Action<TMade, TOptions> update)
    {
        ArgumentNullException.ThrowIfNull(make);
        ArgumentNullException.ThrowIfNull(update);
        SettingsReading<SettingsValues> reading = _reload.Read();
        if (reading.Problems.Count > 0)
        {
            IEnumerable<string> outOfRange = reading.IsEmpty ? [] : With(reading.Settings).FindProblems().Select(TextOf);
            throw Wrong(reading.Problems.Select(p => p.ToString()).Concat(outOfRange));
        }

        TMade made = Located(() => make(With(reading.Settings)));
        _reload.Start(reading.Settings, settings => Located(() =>
        {
            update(made, With(settings));
            return made;
        }));
        return made;
    }

    /// <summary>Ends the listening. It may wait for a change that is being applied.</summary>
    public void Dispose() => _reload.Dispose();

    private TOptions With(SettingsValues settings)
    {
        TOptions options = Interlocked.Exchange(ref _first, null) ?? _newOptions();
        settings.ApplyTo(options);
        return options;
    }

    /// <summary>Says where in the configuration the problems stand.</summary>
    private TMade Located<TMade>(Func<TMade> make)
    {
        try
        {
            return make();
        }
        catch (ResilienceOptionsException wrong)
        {
            throw Wrong(wrong.Problems.Select(TextOf));
        }
        catch (ResiliencePipelineException wrong)
        {
            throw Wrong(wrong.Warnings.Select(w => $"{_path}: {w}"));
        }
    }

    private string TextOf(OptionProblem problem) => $"{_path}:{_schema.PathOf(problem.Option)} is {problem.Value}, but must be {problem.Allowed}";

    private OptionsValidationException Wrong(IEnumerable<string> problems) => new(_name, typeof(TOptions), problems);
}

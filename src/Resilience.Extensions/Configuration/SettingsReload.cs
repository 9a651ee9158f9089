using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Resilience.Configuration;

/// <summary>Keeps something that was made from a section in step with it: reads again when the configuration changes, applies what
/// differs, and keeps the last good settings when the new ones are wrong.</summary>
/// <remarks>
/// It listens from its making on, so nothing that happens while the first settings are put to use is missed. Reloads never overlap: a
/// change that comes during one is seen by another round of it, on the same thread. Nothing it meets reaches the configuration.
/// </remarks>
/// <typeparam name="TSettings">The settings, equal by value.</typeparam>
internal sealed class SettingsReload<TSettings> : IDisposable
    where TSettings : class, IEquatable<TSettings>
{
    private readonly string _name;
    private readonly string _path;
    private readonly ILogger _logger;
    private readonly ReloadTelemetry _telemetry;
    private readonly Func<SettingsReading<TSettings>> _read;
    private readonly bool _mustExist;
    private readonly IDisposable _subscription;
    private int _asked = 1; // changes to be looked at; not 0 while a thread does. The first is the making itself: until Start
    private volatile bool _isDisposed;
    private TSettings? _current;
    private (TSettings? Settings, string Problems)? _logged; // the rejection that the log has; null once settings were good again
    private Action<TSettings>? _apply;

    /// <summary>Begins to listen.</summary>
    /// <param name="name">The pipeline or client, for log and metric.</param>
    /// <param name="section">The section.</param>
    /// <param name="path">Its path, for messages.</param>
    /// <param name="read">Reads the section.</param>
    /// <param name="mustExist">Whether a section without anything in it is an error.</param>
    /// <param name="logger">Hears of reloads.</param>
    /// <param name="telemetry">Counts them.</param>
    internal SettingsReload(
        string name, IConfiguration section, string path, Func<IConfiguration, string, SettingsReading<TSettings>> read, bool mustExist, ILogger logger,
        ReloadTelemetry telemetry)
    {
        _name = name;
        _path = path;
        _logger = SafeLogger.Around(logger);
        _telemetry = telemetry;
        _read = () => read(section, path);
        _mustExist = mustExist;
        _subscription = ChangeToken.OnChange(section.GetReloadToken, OnChanged);
    }

    /// <summary>Reads the settings and reports what is wrong with their form.</summary>
    internal SettingsReading<TSettings> Read()
    {
        SettingsReading<TSettings> reading = _read();
        return reading.IsEmpty && _mustExist && reading.Problems.Count == 0
            ? reading with { Problems = [new(_path, "has no settings: the section is missing or empty")] }
            : reading;
    }

    /// <summary>The first settings are in use: from now on changes are applied.</summary>
    /// <param name="current">The settings in use.</param>
    /// <param name="apply">Puts others to use, or throws and leaves everything as it was.</param>
    internal void Start(TSettings current, Action<TSettings> apply)
    {
        _current = current;
        _apply = apply;
        if (Interlocked.CompareExchange(ref _asked, 0, 1) != 1) Drain();
    }

    public void Dispose()
    {
        _isDisposed = true;
        _subscription.Dispose();
    }

    private void OnChanged()
    {
        if (Interlocked.Increment(ref _asked) == 1) Drain();
    }

    private void Drain()
    {
        int seen;
        do
        {
            seen = Volatile.Read(ref _asked);
            if (!_isDisposed) Reload();
        }
        while (Interlocked.CompareExchange(ref _asked, 0, seen) != seen);
    }

    private void Reload()
    {
        TSettings? read = null;
        try
        {
            SettingsReading<TSettings> reading = Read();
            read = reading.Settings;
            if (reading.Problems.Count > 0)
            {
                Reject(read, reading.Problems.Select(p => p.ToString()), null);
                return;
            }

            if (read.Equals(_current))
            {
                _telemetry.Count(_name, ReloadTelemetry.Unchanged);
            }
            else
            {
                _apply!(read);
                _current = read;
                _telemetry.Count(_name, ReloadTelemetry.Applied);
                ResilienceLog.ReloadApplied(_logger, _name, _path);
            }

            _logged = null;
        }
        catch (OptionsValidationException wrong)
        {
            Reject(read, wrong.Failures, null);
        }
        catch (Exception error) // code of the user, or the source of the configuration: the configuration must not suffer from it
        {
            Reject(read, [$"{_path} could not be applied: {SafeCalls.MessageOf(error)}"], error);
        }
    }

    /// <summary>Counts each rejection, and logs it once: a watcher of files reports one edit several times.</summary>
    private void Reject(TSettings? read, IEnumerable<string> problems, Exception? error)
    {
        if (_isDisposed) return; // what a reload needs goes with the container: no error of the configuration
        _telemetry.Count(_name, ReloadTelemetry.Rejected);
        (TSettings?, string Problems) rejected = (read, string.Join("; ", problems));
        if (rejected.Equals(_logged)) return;
        _logged = rejected;
        ResilienceLog.ReloadRejected(_logger, error, _name, _path, rejected.Problems);
    }
}

using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>The load shedders of an application: the common one, and one for each group. The container disposes of them.</summary>
internal sealed class LoadShedders : IDisposable
{
    private readonly IServiceProvider _services;
    private readonly ConcurrentDictionary<string, Lazy<LoadShedder>> _groups = new(StringComparer.Ordinal); // as many as the application has named
    private readonly Lazy<LoadShedder> _common;

    public LoadShedders(IOptions<LoadSheddingOptions> options, IServiceProvider services)
    {
        _services = services;
        Options = options.Value.Copy();
        _common = new(() => Make(null));
    }

    internal LoadSheddingOptions Options { get; }

    internal LoadShedder Of(string? group) =>
        group is null ? _common.Value : _groups.GetOrAdd(group, static (name, all) => new(() => all.Make(name)), this).Value;

    public void Dispose()
    {
        foreach (Lazy<LoadShedder> shedder in _groups.Values.Append(_common).Where(s => s.IsValueCreated)) shedder.Value.Dispose();
    }

    private LoadShedder Make(string? group)
    {
        LoadShedderOptions own = Options.Shedder.Copy();
        own.Name ??= Options.GetName();
        if (group is not null) own.Name = $"{own.Name}-{group}";
        return new(
            own, _services.GetService<TimeProvider>(), _services.GetService<Randomness>(), _services.CreateEventListener(),
            _services.GetService<IMeterFactory>());
    }
}

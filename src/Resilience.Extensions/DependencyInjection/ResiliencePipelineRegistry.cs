using System.Collections;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Resilience;

/// <summary>Pipelines by name, for programs without a container: each is built when it is first asked for, and kept. With a container, register them by
/// <c>services.AddResilience().AddPipeline(…)</c> instead, which also reads settings.</summary>
/// <remarks>Thread-safe. Pipelines for different types of results may have the same name. What is added stays as long as the registry. It can be filled where
/// it is made (<c>new() { { "orders", pipeline } }</c>), or by a class derived from it; enumerating it gives <see cref="Names"/>.</remarks>
public class ResiliencePipelineRegistry : IEnumerable<string>
{
    private readonly ConcurrentDictionary<(string Name, Type? Result), Lazy<object>> _pipelines = new();

    /// <summary>The names of all pipelines, each once, in no order.</summary>
    public IReadOnlyCollection<string> Names => [.. _pipelines.Keys.Select(static k => k.Name).Distinct(StringComparer.Ordinal)];

    /// <summary>Adds a pipeline that exists already.</summary>
    /// <returns>This registry.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    public ResiliencePipelineRegistry Add(string name, ResiliencePipeline pipeline) => TryAdd(name, pipeline) ? this : throw Taken(name, null);

    /// <inheritdoc cref="Add(string, ResiliencePipeline)"/>
    public ResiliencePipelineRegistry Add<T>(string name, ResiliencePipeline<T> pipeline) => TryAdd(name, pipeline) ? this : throw Taken(name, typeof(T));

    /// <summary>Is there a pipeline of this name, for whatever type of result?</summary>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public bool Contains(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return _pipelines.Keys.Any(k => string.Equals(k.Name, name, StringComparison.Ordinal));
    }

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => Names.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Adds a pipeline that exists already. False, and nothing changes, where the name is taken.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public bool TryAdd(string name, ResiliencePipeline pipeline)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        return TryAdd(name, null, () => pipeline);
    }

    /// <inheritdoc cref="TryAdd(string, ResiliencePipeline)"/>
    public bool TryAdd<T>(string name, ResiliencePipeline<T> pipeline)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        return TryAdd(name, typeof(T), () => pipeline);
    }

    /// <summary>Adds a pipeline that is built when it is first asked for. False, and nothing changes, where the name is taken.</summary>
    /// <param name="name">The name, which the builder has as well; <paramref name="configure"/> may set another for telemetry.</param>
    /// <param name="configure">Adds the policies. Where several callers ask first at the same time it may run for each, and one result is kept; what it
    /// throws goes to who asked, and the next who asks has it run again.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public bool TryAdd(string name, Action<ResiliencePipelineBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return TryAdd(name, null, () => Build(name, configure));
    }

    /// <inheritdoc cref="TryAdd(string, Action{ResiliencePipelineBuilder})"/>
    public bool TryAdd<T>(string name, Action<ResiliencePipelineBuilder<T>> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return TryAdd(name, typeof(T), () => Build(name, configure));
    }

    /// <summary>The pipeline of this name; where there is none, it is added first.</summary>
    /// <inheritdoc cref="TryAdd(string, Action{ResiliencePipelineBuilder})" path="/param"/>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public ResiliencePipeline GetOrAdd(string name, Action<ResiliencePipelineBuilder> configure)
    {
        TryAdd(name, configure);
        return GetPipeline(name);
    }

    /// <inheritdoc cref="GetOrAdd(string, Action{ResiliencePipelineBuilder})"/>
    public ResiliencePipeline<T> GetOrAdd<T>(string name, Action<ResiliencePipelineBuilder<T>> configure)
    {
        TryAdd(name, configure);
        return GetPipeline<T>(name);
    }

    /// <summary>The pipeline of this name.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="KeyNotFoundException">There is none for calls of any result type.</exception>
    public ResiliencePipeline GetPipeline(string name) => TryGetPipeline(name, out ResiliencePipeline? pipeline) ? pipeline : throw Missing(name, null);

    /// <summary>The pipeline of this name for results of this type.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="KeyNotFoundException">There is none for this type.</exception>
    public ResiliencePipeline<T> GetPipeline<T>(string name) =>
        TryGetPipeline(name, out ResiliencePipeline<T>? pipeline) ? pipeline : throw Missing(name, typeof(T));

    /// <summary>As <see cref="GetPipeline(string)"/>, with false where there is none.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public bool TryGetPipeline(string name, [NotNullWhen(true)] out ResiliencePipeline? pipeline)
    {
        pipeline = (ResiliencePipeline?)Find(name, null);
        return pipeline is not null;
    }

    /// <summary>As <see cref="GetPipeline{T}(string)"/>, with false where there is none.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public bool TryGetPipeline<T>(string name, [NotNullWhen(true)] out ResiliencePipeline<T>? pipeline)
    {
        pipeline = (ResiliencePipeline<T>?)Find(name, typeof(T));
        return pipeline is not null;
    }

    private static ResiliencePipeline Build(string name, Action<ResiliencePipelineBuilder> configure)
    {
        ResiliencePipelineBuilder builder = new() { Name = name };
        configure(builder);
        return builder.Build();
    }

    private static ResiliencePipeline<T> Build<T>(string name, Action<ResiliencePipelineBuilder<T>> configure)
    {
        ResiliencePipelineBuilder<T> builder = new() { Name = name };
        configure(builder);
        return builder.Build();
    }

    /// <summary>No delegate runs inside a lock: those who ask first at the same time each build, and the first to end is kept.</summary>
    private bool TryAdd(string name, Type? result, Func<object> build)
    {
        ArgumentNullException.ThrowIfNull(name);
        return _pipelines.TryAdd((name, result), new(build, LazyThreadSafetyMode.PublicationOnly));
    }

    private object? Find(string name, Type? result)
    {
        ArgumentNullException.ThrowIfNull(name);
        return _pipelines.TryGetValue((name, result), out Lazy<object>? found) ? found.Value : null;
    }

    private static ArgumentException Taken(string name, Type? result) =>
        new($"There is a pipeline '{TextOf((name, result))}' already; TryAdd leaves it, and gives false.", nameof(name));

    private KeyNotFoundException Missing(string name, Type? result)
    {
        string known = string.Join(", ", _pipelines.Keys.Select(TextOf).Order(StringComparer.Ordinal));
        return new($"There is no pipeline '{TextOf((name, result))}'; {(known.Length > 0 ? $"known are: {known}" : "there are none")}.");
    }

    private static string TextOf((string Name, Type? Result) key) => key.Result is null ? key.Name : $"{key.Name} for {key.Result.Name}";
}

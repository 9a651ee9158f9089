namespace Resilience.Extensibility;

/// <summary>A pipeline that was built, whatever the type of its results, to look at.</summary>
/// <remarks>Thread-safe. Always of the present: after an update it shows the new policies.</remarks>
public sealed class PipelineView
{
    private readonly BuiltPipeline _built;

    internal PipelineView(BuiltPipeline built) => _built = built;

    /// <summary>The name under which the pipeline is registered, as in its metrics.</summary>
    public string Name => _built.Registration.Name;

    /// <summary>The type of the results that it is for; null for any.</summary>
    public Type? ResultType => _built.Registration.Result;

    /// <summary>The objects by which people see and control the policies, as <see cref="ResiliencePipeline.States"/>.</summary>
    public IReadOnlyList<PolicyState> States => _built.States();

    /// <summary>The policies, their options and the findings about their order.</summary>
    public PipelineDescription Describe() => _built.Describe();

    /// <summary>As people write it: <c>orders</c>, <c>orders&lt;String&gt;</c>.</summary>
    public override string ToString() => _built.Registration.ToString();
}

using System.Diagnostics.CodeAnalysis;
using Resilience.Overload;

namespace Resilience.Extensibility;

/// <summary>A call at the door of an <see cref="AdmissionPolicy"/>: to look at, for as long as it stands there. It cannot be kept.</summary>
public readonly ref struct AdmissionCall
{
    private readonly ResilienceContext _context;

    internal AdmissionCall(ResilienceContext context) => _context = context;

    /// <inheritdoc cref="ResilienceContext.Operation"/>
    public string? Operation => _context.NameOfOperation;

    /// <inheritdoc cref="ResilienceContext.Attempt"/>
    public int Attempt => _context.AttemptNumber;

    /// <inheritdoc cref="ResilienceContext.Criticality"/>
    public Criticality Criticality => _context.CriticalityOfCall;

    /// <inheritdoc cref="ResilienceContext.PipelineName"/>
    public string PipelineName => _context.NameOfPipeline;

    /// <inheritdoc cref="ResilienceContext.RemainingTime"/>
    public TimeSpan? RemainingTime => _context.TimeLeft;

    /// <inheritdoc cref="ResilienceContext.CancellationToken"/>
    public CancellationToken CancellationToken => _context.Token;

    /// <inheritdoc cref="ResilienceContext.TryGet{TValue}(ResilienceProperty{TValue}, out TValue)"/>
    public bool TryGet<TValue>(ResilienceProperty<TValue> property, [MaybeNullWhen(false)] out TValue value) => _context.TryFind(property, out value);
}

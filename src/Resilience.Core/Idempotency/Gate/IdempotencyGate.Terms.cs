using System.Collections.Concurrent;

namespace Resilience.Idempotency;

/// <content>Gates with terms of their own before the same store.</content>
public sealed partial class IdempotencyGate
{
    private static readonly IdempotencyTerms Unchanged = new();

    private readonly ConcurrentDictionary<IdempotencyTerms, IdempotencyGate> _underTerms = new();
    private bool _isDisposed;

    internal ICollection<IdempotencyGate> UnderTerms => _underTerms.Values;

    /// <summary>A gate before the same store, with the same name and listeners, under other terms: for operations that need another lease, retention
    /// or waiting than the rest. The same gate for the same terms; it lives as long as this one.</summary>
    /// <param name="terms">What is different. A few dozen of them at most, known beforehand: each is a gate with a timer of its own.</param>
    /// <remarks>Keep to one set of terms for each operation: between gates, as between processes, the store decides.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="terms"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">With these terms options are out of range.</exception>
    public IdempotencyGate For(IdempotencyTerms terms)
    {
        ArgumentNullException.ThrowIfNull(terms);
        if (terms == Unchanged) return this;
        if (_underTerms.TryGetValue(terms, out IdempotencyGate? known)) return known;
        IdempotencyOptions options = terms.ApplyTo(_options);
        options.ThrowIfInvalid();
        options.PurgeInterval = TimeSpan.Zero; // the records are those of this gate, which sees to them
        IdempotencyGate made = new(Store, options, _environment, this);
        IdempotencyGate kept = _underTerms.GetOrAdd(terms, made);
        if (_isStopping) kept.BeginStopping(); // after it is in the table: either it is seen there, or we see that this gate stops
        if (kept != made || Volatile.Read(ref _isDisposed)) made.Dispose(); // another caller was faster, or the gate is gone
        return kept;
    }

    /// <summary>How long outcomes are kept (<see cref="IdempotencyOptions.Retention"/>).</summary>
    public TimeSpan Retention => _options.Retention;

    private void DisposeUnderTerms()
    {
        Volatile.Write(ref _isDisposed, true);
        foreach (IdempotencyGate gate in _underTerms.Values) gate.Dispose();
    }
}

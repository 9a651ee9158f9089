using Resilience.Extensibility;

namespace Resilience;

/// <summary>What to put in the place of a failure or a rejection. Tried in this order: the last good value, the substitute call, the substitute
/// value.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
public sealed class FallbackOptions<T> : PolicyOptions
{
    private T? _value;

    /// <summary>Serves the last good value if it is not too old. Default null: off.</summary>
    public LastGood<T>? LastGood { get; set; }

    /// <summary>Makes a substitute: another source, a default computed from the failure. If it throws, the failure stands and the
    /// error is counted. Default null: off.</summary>
    public Func<FallbackArguments<T>, ValueTask<T>>? Call { get; set; }

    /// <summary>A fixed substitute. Setting it, also to null, turns it on.</summary>
    public T? Value
    {
        get => _value;
        set
        {
            _value = value;
            HasValue = true;
        }
    }

    /// <summary>True once <see cref="Value"/> has been set.</summary>
    public bool HasValue { get; private set; }

    /// <summary>Narrows which failures and rejections are replaced; it cannot widen: successes and ignored outcomes are never
    /// replaced. A throw means no. Default null: all.</summary>
    public Func<FallbackArguments<T>, bool>? ShouldHandle { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "fallback";

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Require(
            LastGood is not null || Call is not null || HasValue, nameof(Value), "not set",
            "set when neither LastGood nor Call is: a fallback needs something to fall back on");
    }
}

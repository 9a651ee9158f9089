namespace Resilience.Overload;

/// <summary>What is known of a request when its handling begins. <c>default</c> says nothing.</summary>
public readonly record struct RequestContextOptions
{
    private readonly TimeSpan? _timeout;
    private readonly Criticality? _criticality;
    private readonly int? _attempt;

    /// <summary>How much time the one who asked still allows, from now on. Zero: its deadline has passed. Null (default): it did not say. A request
    /// inside another has the earlier deadline of the two.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public TimeSpan? Timeout
    {
        get => _timeout;
        init
        {
            if (value is { } given && given < TimeSpan.Zero)
                throw new ArgumentOutOfRangeException(nameof(value), given, "The time that a request may take is zero or more.");
            _timeout = value;
        }
    }

    /// <summary>How much the request matters. Null (default): as the request around it, or <see cref="Criticality.Critical"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Undefined.</exception>
    public Criticality? Criticality
    {
        get => _criticality;
        init
        {
            if (value is { } given && (uint)given > (uint)Overload.Criticality.CriticalPlus)
                throw new ArgumentOutOfRangeException(nameof(value), given, "A defined class of criticality.");
            _criticality = value;
        }
    }

    /// <summary>Which attempt of the one who asked this is, 0 for the first. Null (default): as the request around it, or 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public int? Attempt
    {
        get => _attempt;
        init
        {
            if (value < 0) throw new ArgumentOutOfRangeException(nameof(value), value, "The first attempt has the number 0.");
            _attempt = value;
        }
    }

    /// <summary>By which the deadline is measured. Null (default): the system's.</summary>
    /// <exception cref="ArgumentException">At <see cref="RequestContext.Begin"/>: its timestamps do not advance.</exception>
    public TimeProvider? TimeProvider { get; init; }

    /// <summary>Whether the request belongs to none around it, and inherits nothing: for code that receives requests from outside. Default false.</summary>
    public bool IsIndependent { get; init; }
}

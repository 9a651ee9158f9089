namespace Resilience.Idempotency;

/// <summary>One gate as it was registered.</summary>
internal sealed class IdempotencyRegistration(string name)
{
    internal string Name { get; } = name;

    /// <summary>How often <c>AddIdempotency</c> was called for it: more than once is a mistake.</summary>
    internal int Calls { get; set; }

    /// <summary>How often a store was named: more than once is a mistake.</summary>
    internal int Stores { get; set; }

    internal Func<IServiceProvider, IIdempotencyStore>? CreateStore { get; set; }

    /// <summary>The pipeline before the store.</summary>
    internal Action<ResiliencePipelineBuilder> Guard { get; set; } =
        static pipeline => pipeline.AddCircuitBreaker(new CircuitBreakerOptions
        {
            // A store that hangs is too slow to fill a window: ten failures in a row count as well, however long they take.
            MinimumCalls = 20,
            ConsecutiveFailures = 10,
            BreakDuration = TimeSpan.FromSeconds(1),
            MaxBreakDuration = TimeSpan.FromSeconds(15),
        });

    /// <summary>What is asked of the store when the host starts.</summary>
    internal IdempotencyStartCheck StartCheck { get; set; }

    /// <summary>How it is called in messages.</summary>
    internal string Title => Name.Length == 0 ? "idempotency" : $"idempotency '{Name}'";
}

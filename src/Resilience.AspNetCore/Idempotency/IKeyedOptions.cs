namespace Resilience.Idempotency;

/// <summary>What options of endpoints and those of methods of gRPC have alike, for <see cref="KeyedOptions"/>.</summary>
internal interface IKeyedOptions
{
    string Gate { get; set; }

    TimeSpan? Lease { get; set; }

    TimeSpan? Retention { get; set; }

    TimeSpan ClientErrorRetention { get; }

    TimeSpan? MaxExecution { get; }

    int? MaxAttempts { get; set; }

    WhenInFlight? WhenInFlight { get; set; }

    TimeSpan? MaxWait { get; set; }

    bool IsRequired { get; set; }

    int MinKeyLength { get; }

    int MaxKeyLength { get; }

    int MaxOpenPerScope { get; }

    int? MaxKeysPerScope { get; }
}

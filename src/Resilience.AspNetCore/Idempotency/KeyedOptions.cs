using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>What is done alike with options of endpoints and of methods of gRPC.</summary>
internal static class KeyedOptions
{
    /// <summary>What the gate is to have otherwise for these.</summary>
    internal static IdempotencyTerms TermsOf(IKeyedOptions options) => new()
    {
        Lease = options.Lease,
        Retention = options.Retention,
        MaxExecution = options.MaxExecution,
        MaxAttempts = options.MaxAttempts,
        WhenInFlight = options.WhenInFlight,
        MaxWait = options.MaxWait,
    };

    /// <summary>Takes over what an attribute says.</summary>
    internal static void Take(IKeyedOptions options, RequireIdempotencyKeyAttribute attribute)
    {
        options.IsRequired = attribute.IsRequired;
        options.Gate = attribute.Gate ?? options.Gate;
        if (attribute.LeaseSeconds != 0) options.Lease = Seconds(attribute.LeaseSeconds);
        if (attribute.RetentionSeconds != 0) options.Retention = Seconds(attribute.RetentionSeconds);
        if (attribute.MaxAttempts != 0) options.MaxAttempts = attribute.MaxAttempts;
        if (attribute.MaxWaitSeconds == 0) options.WhenInFlight = WhenInFlight.Reject;
        else if (attribute.MaxWaitSeconds != -1) (options.WhenInFlight, options.MaxWait) = (WhenInFlight.Wait, Seconds(attribute.MaxWaitSeconds));
    }

    internal static void CheckGate(OptionsCheck check, IKeyedOptions options)
    {
        check.Require(options.Gate is not null, nameof(options.Gate), null, "the name of a gate, or empty");
        check.Span(nameof(options.ClientErrorRetention), options.ClientErrorRetention, TimeSpan.FromSeconds(1), IdempotencyStoreArguments.MaxRetention);
        TermsCheck.Check(check, TermsOf(options));
    }

    internal static void CheckKeys(OptionsCheck check, IKeyedOptions options)
    {
        check.Number(nameof(options.MinKeyLength), options.MinKeyLength, 1, IdempotencyKey.MaxLength);
        check.Number(nameof(options.MaxKeyLength), options.MaxKeyLength, Math.Max(1, options.MinKeyLength), IdempotencyKey.MaxLength);
        check.Number(nameof(options.MaxOpenPerScope), options.MaxOpenPerScope, 1, 1_000_000);
        if (options.MaxKeysPerScope is { } keys) check.Number(nameof(options.MaxKeysPerScope), keys, 1, 1_000_000_000);
    }

    /// <summary>By themselves the terms were looked at before; together with what the gate has they can still be wrong (a retention below the lease).</summary>
    internal static IReadOnlyList<OptionProblem> TermsProblems(IKeyedOptions options, IServiceProvider services)
    {
        IdempotencyTerms terms = TermsOf(options);
        if (terms == new IdempotencyTerms()) return [];
        try
        {
            return terms.ApplyTo(services.GetRequiredService<IOptionsMonitor<IdempotencyOptions>>().Get(options.Gate)).FindProblems();
        }
        catch (ResilienceOptionsException)
        {
            return []; // the gate's own, which are told as such
        }
    }

    /// <summary>Where the store has a bound, one caller may fill half of it: a full store is never one caller's doing.</summary>
    internal static int? MaxKeys(IKeyedOptions options, IdempotencyGate gate) =>
        options.MaxKeysPerScope ?? (gate.Store.Traits.MaxRecords is { } room ? Math.Max(1, room / 2) : null);

    /// <summary>What is no number of seconds becomes a span that no option allows.</summary>
    private static TimeSpan Seconds(double seconds) => seconds is > 0 and < 1e10 ? TimeSpan.FromSeconds(seconds) : TimeSpan.MinValue;
}

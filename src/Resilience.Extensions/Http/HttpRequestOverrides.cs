using Resilience.Extensibility;

namespace Resilience.Http;

/// <summary>What one request wants otherwise than its client: put it on the request with
/// <see cref="HttpRequestResilienceExtensions.WithResilience"/>, or under <see cref="Key"/> in its options.</summary>
/// <remarks>What is null stays as the client has it. A time out of range is passed over and counted in <c>resilience.callback.errors</c>.</remarks>
public sealed class HttpRequestOverrides
{
    /// <summary>Where it stands in <see cref="HttpRequestMessage.Options"/>.</summary>
    public static readonly HttpRequestOptionsKey<HttpRequestOverrides> Key = new("Resilience.Overrides");

    /// <summary>The whole address that one attempt goes to, in place of the request's: set it in <see cref="HedgingOptions.Route"/>. Relative
    /// addresses are passed over. Circuits, budgets and limits stay those of the request's authority.</summary>
    public static readonly ResilienceProperty<Uri> AttemptUri = new("http attempt uri");

    /// <summary>True in the context of a request that is a long poll (<see cref="HttpResilienceOptions.LongPolls"/>, <see cref="IsLongPoll"/>): for
    /// <see cref="TimeoutOptions.TimeoutFor"/> in a pipeline of your own.</summary>
    public static readonly ResilienceProperty<bool> LongPoll = new("http long poll");

    private static readonly ResilienceProperty<HttpRequestOverrides> Property = new("http overrides");

    /// <summary>The time for the whole call, instead of <see cref="StandardResilienceOptions.TotalTimeout"/>; 1 ms to a day.</summary>
    public TimeSpan? TotalTimeout { get; set; }

    /// <summary>The time for each attempt, instead of <see cref="StandardResilienceOptions.AttemptTimeout"/>; 1 ms to a day.</summary>
    public TimeSpan? AttemptTimeout { get; set; }

    /// <summary>Whether the server is meant to hold this request open, instead of what <see cref="HttpResilienceOptions.LongPolls"/> says. Times that are
    /// set here hold also for a long poll.</summary>
    public bool? IsLongPoll { get; set; }

    /// <summary>Retries at the most: can only be fewer than the client allows. 0: none.</summary>
    public int? MaxRetries { get; set; }

    /// <summary>True: repeating this request does no harm although its method does not say so. False: it is never repeated, also when
    /// nothing was sent.</summary>
    public bool? IsRepeatable { get; set; }

    /// <summary>True: the content gives the same bytes each time it is asked, although its type does not say so.</summary>
    public bool ReplayContent { get; set; }

    /// <summary>As <see cref="HttpResilienceOptions.ReplayBufferBytes"/>; 0 or less: none are kept.</summary>
    public int? ReplayBufferBytes { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.BufferResponses"/>
    public bool? BufferResponse { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.ReadIdleTimeout"/>
    public TimeSpan? ReadIdleTimeout { get; set; }

    /// <summary>As <see cref="HttpResilienceOptions.BodyTimeout"/>, and it holds for an event stream too; 0 or less: the body has no bound.</summary>
    public TimeSpan? BodyTimeout { get; set; }

    /// <summary>What is being done ("charge"), of few distinct values, for telemetry and logs. Default: the method.</summary>
    public string? Operation { get; set; }

    /// <summary>True: the request goes straight through, once, without any policy.</summary>
    public bool DisableResilience { get; set; }

    /// <summary>What travels with the call; null when there is nothing to say.</summary>
    internal static CallProperties? ToProperties(HttpRequestOverrides? overrides, bool isLongPoll)
    {
        if (overrides is null && !isLongPoll) return null;
        CallProperties properties = new();
        if (overrides is not null) properties.With(Property, overrides);
        return isLongPoll ? properties.With(LongPoll, true) : properties;
    }

    /// <summary>The total time of this call, where it is not that of the client.</summary>
    internal static TimeSpan? TotalFor(ResilienceContext context) => Of(context)?.TotalTimeout ?? MaxFor(context);

    /// <summary>The time of an attempt of this call, where it is not that of the client.</summary>
    internal static TimeSpan? AttemptFor(ResilienceContext context) => Of(context)?.AttemptTimeout ?? MaxFor(context);

    /// <summary>A long poll has a time of its own, which is kept inside the attempt.</summary>
    private static TimeSpan? MaxFor(ResilienceContext context) => context.TryGet(LongPoll, out bool isOne) && isOne ? OptionsCheck.MaxSpan : null;

    internal static HttpRequestOverrides? Of(ResilienceContext context) => context.TryGet(Property, out HttpRequestOverrides? found) ? found : null;
}

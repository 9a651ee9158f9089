using System.Threading.RateLimiting;
using Resilience.Extensibility;

namespace Resilience.Http;

/// <summary>What the requests of one client to one authority share: a pipeline with circuit, budget and limit of its own.</summary>
/// <remarks>Thread-safe. It may be forgotten when there are too many, as long as nothing would be lost; calls under way are not
/// disturbed by that.</remarks>
public sealed class HttpAuthority
{
    private long _lastUsed;
    private volatile bool _isForgotten;

    internal HttpAuthority(string name, string shownName, ResiliencePipeline<HttpResponseMessage> pipeline)
    {
        Name = name;
        ShownName = shownName;
        Pipeline = pipeline;
    }

    /// <summary>Scheme, host and port (<c>https://api.example.com:8443</c>), or the text of
    /// <see cref="HttpResilienceOptions.PartitionBy"/>; <c>*</c> for <see cref="HttpResilience.Overflow"/>.</summary>
    public string Name { get; }

    /// <summary>The pipeline that the requests pass.</summary>
    public ResiliencePipeline<HttpResponseMessage> Pipeline { get; }

    /// <summary>The circuit breaker, or null if the pipeline has none.</summary>
    public CircuitBreaker? CircuitBreaker => Pipeline.Find<CircuitBreaker>();

    /// <summary>The retry budget, or null if the pipeline has none.</summary>
    public RetryBudget? RetryBudget => Pipeline.Find<RetryBudget>();

    /// <summary>The concurrency limit, or null if the pipeline has none.</summary>
    public ConcurrencyLimit? ConcurrencyLimit => Pipeline.Find<ConcurrencyLimit>();

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>What it is called in telemetry and logs; see <see cref="HttpResilienceOptions.MaxNamedAuthorities"/>.</summary>
    internal string ShownName { get; }

    /// <summary>On the line of <see cref="TimeProvider.GetTimestamp"/>. A stamp that is lost in a race costs nothing.</summary>
    internal long LastUsed => Volatile.Read(ref _lastUsed);

    internal void Touch(long now) => Volatile.Write(ref _lastUsed, now);

    /// <summary>True once it has made room: requests that come now get another.</summary>
    internal bool IsForgotten
    {
        get => _isForgotten;
        set => _isForgotten = value;
    }

    /// <summary>True when forgetting it would lose nothing but the counts of a healthy dependency.</summary>
    internal bool IsForgettable
    {
        get
        {
            foreach (PolicyState state in Pipeline.States)
            {
                bool holds = state.State switch
                {
                    CircuitBreaker breaker => !breaker.IsForgettable,
                    ConcurrencyLimit limit => limit.Running + limit.Waiting > 0,
                    Resilience.RetryBudget => false, // what it holds comes back within its window
                    RateLimiter or PartitionedRateLimiter<ResilienceContext> => false, // its maker has it still
                    _ => true, // a policy of the user's: we cannot know
                };
                if (holds) return false;
            }

            return true;
        }
    }
}

/// <summary>What tells authorities apart, without making a text of it at each request.</summary>
internal readonly record struct AuthorityKey(string Scheme, string Host, int Port)
{
    internal static AuthorityKey Of(Uri uri) => new(uri.Scheme, uri.Host, uri.Port);

    internal static AuthorityKey Of(string partition) => new("", partition, -1);

    public override string ToString() => Scheme.Length == 0 ? Host : $"{Scheme}://{Host}{(IsUsualPort ? "" : FormattableString.Invariant($":{Port}"))}";

    /// <summary>Also none: the schemes of service discovery (<c>https+http</c>) have no usual port.</summary>
    private bool IsUsualPort => Port < 0 || (Scheme, Port) is ("http", 80) or ("https", 443);
}

using Grpc.Core;
using Resilience.Extensibility;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>How methods of gRPC services use idempotency keys.</summary>
public sealed class GrpcIdempotencyOptions : PolicyOptions, IKeyedOptions
{
    private const string DefaultHeader = "idempotency-key";

    private HashSet<string> _methods = new(StringComparer.Ordinal);
    private readonly List<string> _wrongPaths = [];

    /// <summary>The gate that is asked: the name that <c>services.AddIdempotency("orders")</c> was given. Default empty: the gate without a name.</summary>
    public string Gate { get; set; } = "";

    /// <summary>How long a claim lasts without a sign of life. Default null: as the gate has it (<see cref="IdempotencyOptions.Lease"/>); 50 ms to an
    /// hour.</summary>
    public TimeSpan? Lease { get; set; }

    /// <summary>How long an answer is kept. Default null: as the gate has it (<see cref="IdempotencyOptions.Retention"/>); from the lease to ten
    /// years.</summary>
    public TimeSpan? Retention { get; set; }

    /// <summary>How long a rejection is kept: a status other than <c>OK</c> that is kept by default, before the point of no return. Default 10 minutes, or
    /// <see cref="Retention"/> if that is shorter; a second to ten years. A status that is named in <see cref="Statuses"/> is kept for
    /// <see cref="Retention"/>.</summary>
    public TimeSpan ClientErrorRetention { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long an execution is renewed. Default null: as the gate has it (<see cref="IdempotencyOptions.MaxExecution"/>); from the lease to a
    /// day.</summary>
    public TimeSpan? MaxExecution { get; set; }

    /// <summary>How often a call may be begun when earlier executions crashed. Default null: as the gate has it
    /// (<see cref="IdempotencyOptions.MaxAttempts"/>); from 1.</summary>
    public int? MaxAttempts { get; set; }

    /// <summary>What a duplicate does while the first is under way. Default null: as the gate has it
    /// (<see cref="IdempotencyOptions.WhenInFlight"/>).</summary>
    public WhenInFlight? WhenInFlight { get; set; }

    /// <summary>How long a duplicate waits at the most. Default null: as the gate has it (<see cref="IdempotencyOptions.MaxWait"/>); 1 ms to an
    /// hour.</summary>
    public TimeSpan? MaxWait { get; set; }

    /// <summary>The metadata that has the key: lower case letters, digits, <c>-</c>, <c>_</c> and <c>.</c>, without <c>-bin</c> at its end. Default
    /// <c>idempotency-key</c>, which our clients send.</summary>
    public string IdempotencyHeader { get; set; } = DefaultHeader;

    /// <summary>Whether a call without a key is rejected (<c>INVALID_ARGUMENT</c>). Default true. With false it runs like any other, without
    /// protection.</summary>
    public bool IsRequired { get; set; } = true;

    /// <summary>The shortest key, 1 to 255 characters. Default 1.</summary>
    public int MinKeyLength { get; set; } = 1;

    /// <summary>The longest key, 1 to 255 characters. Default 255.</summary>
    public int MaxKeyLength { get; set; } = IdempotencyKey.MaxLength;

    /// <summary>Whether a key is acceptable, beyond its length (that it is a UUID, say). What it throws comes out. Default: every key is.</summary>
    public Func<string, bool>? AcceptsKey { get; set; }

    /// <summary>The caller of a call: keys of different scopes never meet. Null or empty as answer: anonymous, see <see cref="AllowSharedScope"/>. What is no
    /// well-formed text is rejected (<c>INVALID_ARGUMENT</c>). What it throws comes out. Default: as at endpoints of HTTP, the authority that was asked (unless
    /// it is an address or <c>localhost</c>) and the authenticated caller, by issuer, tenant and subject, or by client where a token stands for a
    /// program.</summary>
    public Func<ServerCallContext, string?>? ScopeFor { get; set; }

    /// <summary>Whether anonymous calls share one scope. Default false, because who guesses a key would receive another caller's answer: such a call is
    /// rejected (<c>UNAUTHENTICATED</c>), and a method that no authenticated caller can reach stops the host at its start.</summary>
    public bool AllowSharedScope { get; set; }

    /// <summary>How many calls with keys one caller may have open at once in this process, executed and waiting together: 1 to 1,000,000. Default 1,000. More
    /// are rejected (<c>RESOURCE_EXHAUSTED</c>), to come back in a second. Not for callers who share one scope.</summary>
    public int MaxOpenPerScope { get; set; } = 1000;

    /// <summary>How many keys of one caller may be kept, counted in this process: 1 to 1,000,000,000. Beyond it a new key is rejected
    /// (<c>RESOURCE_EXHAUSTED</c>) until some have expired; keys that are known are answered as ever. Default null: half of what the store takes where it has
    /// a bound (<see cref="IdempotencyStoreTraits.MaxRecords"/>), any number elsewhere. Not for callers who share one scope.</summary>
    public int? MaxKeysPerScope { get; set; }

    /// <summary>Asked before anything that is known about an earlier call is told (its answer, that it is under way, that the key was used for something else):
    /// false is rejected (<c>PERMISSION_DENIED</c>). What it throws comes out. Default null: a caller who has the scope and the key may see it.</summary>
    /// <remarks>For what the method itself asks, or interceptors of its service: a replay stands in front of both. Authorization of ASP.NET Core, and
    /// interceptors of all services, stand in front of it.</remarks>
    public Func<ServerCallContext, ValueTask<bool>>? MayReplay { get; set; }

    /// <summary>Asked before a duplicate is told that the outcome of its call is unknown: look whether it was done. Default null: nothing is asked.</summary>
    /// <remarks>Null as answer: it stays unknown. What it finds is recorded with a new fence, so that a late owner of the call changes nothing. What it throws
    /// is logged, and the outcome stays unknown. Several duplicates may ask at once. The store must be an <see cref="IResolvableIdempotencyStore"/>, as ours
    /// are.</remarks>
    public Func<ServerCallContext, IdempotencyKey, ValueTask<GrpcIdempotencyFinding?>>? Reconcile { get; set; }

    /// <summary>The largest answer that is kept, message, status and trailers together: 0 bytes to 64 MiB. Of a larger one it is kept that it was given: the
    /// first caller receives it, a duplicate is told that it was not kept (<c>ABORTED</c>), and nothing is executed again. Default 256 KiB.</summary>
    public int MaxResponseBytes { get; set; } = 256 << 10;

    /// <summary>Computes the fingerprint in our place, from the call and its request message. What it throws comes out. Default: method, authority and the
    /// bytes of the message.</summary>
    public Func<ServerCallContext, object, Fingerprint>? FingerprintFor { get; set; }

    /// <summary>The trailers of the method that are kept and replayed, in lower case. Default null: all that the method sets. Never kept, whatever is added:
    /// what belongs to one answer (<c>grpc-…</c> but <c>grpc-status-details-bin</c>, and ours).</summary>
    public ISet<string>? KeptTrailers { get; set; }

    /// <summary>Whether answers are encrypted before they are stored, with the keys of the application's data protection
    /// (<c>services.AddDataProtection()</c>, which must be there; keep its keys where all nodes find them). Default false. Answers that were stored in the
    /// clear before are still read.</summary>
    public bool EncryptsResponses { get; set; }

    /// <summary>What is done with the key for a status, where that shall differ from the defaults.</summary>
    /// <remarks>
    /// Defaults: <c>UNAVAILABLE</c>, <c>UNIMPLEMENTED</c>, <c>RESOURCE_EXHAUSTED</c>, <c>ABORTED</c>, <c>PERMISSION_DENIED</c> and <c>UNAUTHENTICATED</c> say
    /// that nothing was done, and release; <c>CANCELLED</c>, <c>UNKNOWN</c>, <c>DEADLINE_EXCEEDED</c>, <c>INTERNAL</c> and <c>DATA_LOSS</c> hold, because what
    /// was to be done may have been done; everything else is kept. After the point of no return the failures of a server are kept as unknown, and the rest is
    /// kept. </remarks>
    public IDictionary<StatusCode, IdempotencyDisposition> Statuses { get; private set; } = new Dictionary<StatusCode, IdempotencyDisposition>();

    /// <summary>What is done with the key when the method throws. An <see cref="RpcException"/> that the method made is an answer, which
    /// <see cref="Statuses"/> judges; everything else is judged here, also an <see cref="RpcException"/> of a call of its own whose transport broke. Default
    /// <see cref="IdempotencyOutcomes.Default"/>. (Such an exception cannot be replayed: keep means unknown here.)</summary>
    public IdempotencyOutcomes Outcomes { get; set; } = IdempotencyOutcomes.Default;

    /// <summary>Calls of this method are executed once for each key. <see cref="RequireIdempotencyKeyAttribute"/> on the service or the method says the
    /// same.</summary>
    /// <param name="path">Service and method, as they are called: <c>/shop.Orders/Place</c>. <c>/shop.Orders/*</c>: all unary methods of the service.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    public GrpcIdempotencyOptions RequireKey(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = path[0] == '/' ? path : "/" + path;
        int slash = full.LastIndexOf('/');
        if (slash > 1 && slash < full.Length - 1 && full.IndexOf('/', 1) == slash) _methods.Add(full);
        else _wrongPaths.Add(path);
        return this;
    }

    /// <summary>The methods that were named, as <c>/service/method</c>.</summary>
    public IReadOnlyCollection<string> Methods => _methods;

    /// <inheritdoc/>
    protected override string Kind => "grpc-idempotency";

    /// <summary>What the gate is to have otherwise for these methods.</summary>
    internal IdempotencyTerms Terms => KeyedOptions.TermsOf(this);

    /// <inheritdoc/>
    protected override PolicyOptions CopyCore()
    {
        GrpcIdempotencyOptions copy = (GrpcIdempotencyOptions)base.CopyCore();
        copy.KeptTrailers = KeptTrailers is null ? null : new HashSet<string>(KeptTrailers, StringComparer.OrdinalIgnoreCase);
        copy.Statuses = new Dictionary<StatusCode, IdempotencyDisposition>(Statuses);
        copy._methods = new(_methods, StringComparer.Ordinal);
        return copy;
    }

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        KeyedOptions.CheckGate(check, this);
        check.Require(IsKey(IdempotencyHeader), nameof(IdempotencyHeader), IdempotencyHeader, "a key of metadata: lower case letters, digits, -, _ and .");
        KeyedOptions.CheckKeys(check, this);
        check.Number(nameof(MaxResponseBytes), MaxResponseBytes, 0, 64 << 20);
        check.Require(Outcomes is not null, nameof(Outcomes), null, "a table");
        foreach (string path in _wrongPaths) check.Require(false, nameof(RequireKey), path, "a service and a method, as /shop.Orders/Place");
        foreach ((StatusCode status, IdempotencyDisposition disposition) in Statuses)
        {
            check.Defined(nameof(Statuses), status);
            check.Defined($"{nameof(Statuses)}[{status}]", disposition);
        }
    }

    /// <summary>The one of the names that means this method; null: none.</summary>
    internal string? NameOf(IMethod method) =>
        _methods.Contains(method.FullName) ? method.FullName : _methods.Contains($"/{method.ServiceName}/*") ? $"/{method.ServiceName}/*" : null;

    /// <summary>These with what an attribute says of them.</summary>
    /// <exception cref="ResilienceOptionsException">What it says is out of range.</exception>
    internal GrpcIdempotencyOptions With(RequireIdempotencyKeyAttribute attribute)
    {
        GrpcIdempotencyOptions changed = (GrpcIdempotencyOptions)this.Copy();
        KeyedOptions.Take(changed, attribute);
        changed.ThrowIfInvalid();
        return changed;
    }

    internal IdempotencyDisposition DispositionOf(StatusCode status, bool isPastPointOfNoReturn)
    {
        if (Statuses.TryGetValue(status, out IdempotencyDisposition chosen)) return chosen;
        return Meaning(status) switch
        {
            MeaningOfStatus.Answered => IdempotencyDisposition.Keep,
            MeaningOfStatus.Declined => isPastPointOfNoReturn ? IdempotencyDisposition.Keep : IdempotencyDisposition.Release,
            _ when isPastPointOfNoReturn => IdempotencyDisposition.KeepAsOutcomeUnknown,
            MeaningOfStatus.NotBegun => IdempotencyDisposition.Release,
            _ => IdempotencyDisposition.Hold,
        };
    }

    /// <summary>Google's table of codes and statuses of HTTP, and for those what endpoints do; but <c>ABORTED</c>, which says that nothing was done, and
    /// <c>CANCELLED</c>, which does not.</summary>
    private static MeaningOfStatus Meaning(StatusCode status) => status switch
    {
        StatusCode.OK or StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.AlreadyExists or StatusCode.FailedPrecondition
            or StatusCode.OutOfRange => MeaningOfStatus.Answered,
        StatusCode.PermissionDenied or StatusCode.Unauthenticated or StatusCode.ResourceExhausted or StatusCode.Aborted => MeaningOfStatus.Declined,
        StatusCode.Unavailable or StatusCode.Unimplemented => MeaningOfStatus.NotBegun,
        _ => MeaningOfStatus.Failed,
    };

    private static bool IsKey(string? text) =>
        !string.IsNullOrEmpty(text) && text.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.')
        && !text.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.Ordinal);

    /// <summary>What a status says of what was to be done.</summary>
    private enum MeaningOfStatus
    {
        /// <summary>It is the answer, and stays so.</summary>
        Answered,

        /// <summary>Nothing was done, and another time it may be.</summary>
        Declined,

        /// <summary>The server could not begin.</summary>
        NotBegun,

        /// <summary>It may have been done.</summary>
        Failed,
    }
}

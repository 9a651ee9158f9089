using Microsoft.AspNetCore.Http;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>How endpoints use idempotency keys.</summary>
public sealed class IdempotencyEndpointOptions : PolicyOptions, IKeyedOptions
{
    /// <summary>The gate that is asked: the name that <c>AddIdempotency("orders")</c> was given. Default empty: the gate without a name.</summary>
    public string Gate { get; set; } = "";

    /// <summary>How long a claim lasts without a sign of life. Default null: as the gate has it (<see cref="IdempotencyOptions.Lease"/>); 50 ms to an
    /// hour.</summary>
    public TimeSpan? Lease { get; set; }

    /// <summary>How long a response is kept. Default null: as the gate has it (<see cref="IdempotencyOptions.Retention"/>); from the lease to
    /// ten years.</summary>
    public TimeSpan? Retention { get; set; }

    /// <summary>How long a rejection is kept: a 4xx that is kept by default, before the point of no return. Default 10 minutes, or <see cref="Retention"/> if
    /// that is shorter; a second to ten years. A status that is named in <see cref="Statuses"/> is kept for <see cref="Retention"/>.</summary>
    /// <remarks>Nothing was carried out, so it is enough to recognize the repetitions of one caller; and callers whose requests are all rejected
    /// do not fill the
    /// store for a day.</remarks>
    public TimeSpan ClientErrorRetention { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long an execution is renewed. Default null: as the gate has it (<see cref="IdempotencyOptions.MaxExecution"/>); from the
    /// lease to a day.</summary>
    public TimeSpan? MaxExecution { get; set; }

    /// <summary>How often a request may be begun when earlier executions crashed. Default null: as the gate has it
    /// (<see cref="IdempotencyOptions.MaxAttempts"/>); from 1.</summary>
    public int? MaxAttempts { get; set; }

    /// <summary>What a duplicate does while the first is under way. Default null: as the gate has it (<see
    /// cref="IdempotencyOptions.WhenInFlight"/>).</summary>
    public WhenInFlight? WhenInFlight { get; set; }

    /// <summary>How long a duplicate waits at the most. Default null: as the gate has it (<see cref="IdempotencyOptions.MaxWait"/>); 1 ms to an
    /// hour.</summary>
    public TimeSpan? MaxWait { get; set; }

    /// <summary>The header. Default <c>Idempotency-Key</c>.</summary>
    public string HeaderName { get; set; } = "Idempotency-Key";

    /// <summary>Finds the key elsewhere than in the header, from the request and its whole body: for webhooks, whose sender names each event in a header of
    /// its own or in the body (<see cref="IdempotencyKeySource"/>). Null or empty: the header is looked at. What is found is held to the same bounds as a
    /// key in the header. What it throws comes out. Default null: the header alone.</summary>
    /// <remarks>A caller that can send a key receives its response: check the sender's signature before, in a middleware, and set <see cref="ScopeFor"/> to the
    /// sender. A sender that repeats an event with another time or counter in it is the same request only for a <see cref="FingerprintFor"/> that leaves
    /// them out.</remarks>
    public Func<HttpContext, ReadOnlyMemory<byte>, string?>? KeyFor { get; set; }

    /// <summary>Whether a request without a key is rejected (400). Default true. With false it runs like any other, without protection.</summary>
    public bool IsRequired { get; set; } = true;

    /// <summary>Whether a key without quotes is accepted. Default true, because most clients send it so; with false only the structured-field
    /// string of the draft.</summary>
    public bool AcceptBareKeys { get; set; } = true;

    /// <summary>The shortest key, 1 to 255 characters. Default 1.</summary>
    public int MinKeyLength { get; set; } = 1;

    /// <summary>The longest key, 1 to 255 characters. Default 255.</summary>
    public int MaxKeyLength { get; set; } = IdempotencyKey.MaxLength;

    /// <summary>Whether a key is acceptable, beyond its length (that it is a UUID, say). Default: every key is.</summary>
    public Func<string, bool>? AcceptsKey { get; set; }

    /// <summary>The caller of a request: keys of different scopes never meet. Null or empty as answer: anonymous, see
    /// <see cref="AllowSharedScope"/>. What is no well-formed text is rejected (400). Default: the authority that was asked (the <c>Host</c> header, unless
    /// it is an address or <c>localhost</c>) and the authenticated caller, by issuer, tenant and subject, or by client where a token
    /// stands for a program (<c>client_id</c>, <c>azp</c>, <c>appid</c>).</summary>
    /// <remarks>Behind a proxy that replaces the <c>Host</c> header by the name of a node, a repetition through another node would not be recognized:
    /// let the proxy keep it, use <c>UseForwardedHeaders</c>, or set this.</remarks>
    public Func<HttpContext, string?>? ScopeFor { get; set; }

    /// <summary>Whether anonymous requests share one scope. Default false, because who guesses a key would receive another caller's
    /// response: such a request is rejected (401), and an endpoint that no authenticated caller can reach stops the host at its start.</summary>
    public bool AllowSharedScope { get; set; }

    /// <summary>How many requests with keys one caller may have open at once in this process, executed and waiting together: 1 to 1,000,000. Default 1,000.
    /// More are answered with 429 <c>too-many-open</c>. Without it one caller could take all places for duplicates that wait
    /// (<see cref="IdempotencyOptions.MaxWaiters"/>). Not for callers who share one scope (<see cref="AllowSharedScope"/>).</summary>
    public int MaxOpenPerScope { get; set; } = 1000;

    /// <summary>How many keys of one caller may be kept, counted in this process: 1 to 1,000,000,000. Beyond it a new key is answered with 429
    /// <c>too-many-keys</c> and a <c>Retry-After</c> that tells when some have expired; keys that are known are answered as ever. Default null: half of what
    /// the store takes where it has a bound (<see cref="IdempotencyStoreTraits.MaxRecords"/>; in memory half a million), so that one caller cannot fill it,
    /// and any number elsewhere.</summary>
    /// <remarks>A key that was given back does not count; a rejection that is kept for <see cref="ClientErrorRetention"/> counts as long as any key. Each
    /// process counts for itself, from its start. Not for callers who share one scope.</remarks>
    public int? MaxKeysPerScope { get; set; }

    /// <summary>Asked before anything that is known about an earlier request is told (its response, that it is under way, that the key was used
    /// for something else): false is answered with 403, unless it has begun an answer of its own. What it throws comes out. Default null: a caller who has
    /// the scope and the key may see it.</summary>
    /// <remarks>For what the endpoint itself asks, or its filters: a replay stands in front of both.</remarks>
    public Func<HttpContext, ValueTask<bool>>? MayReplay { get; set; }

    /// <summary>Asked before a duplicate is told that the outcome of its request is unknown (<c>outcome-unknown</c>): look whether it was done, by the
    /// caller's key with its scope, by your own tables, or at another service by the key that was derived for it
    /// (<see cref="IdempotencyId.DeriveKey"/>). Default null: nothing is asked.</summary>
    /// <remarks>Null as answer: it stays unknown. What it finds is recorded with a new fence, so that a late owner of the request changes nothing; if
    /// the record has changed meanwhile, the finding is dropped. What it throws is logged, and the outcome stays unknown. Several duplicates may ask at
    /// once. The store must be an <see cref="IResolvableIdempotencyStore"/>, as ours are.</remarks>
    public Func<HttpContext, IdempotencyKey, ValueTask<IdempotencyFinding?>>? Reconcile { get; set; }

    /// <summary>The largest request body, 0 bytes to 1 GiB; larger ones are rejected (413), because the whole body is part of the
    /// fingerprint. Default 1 MiB.</summary>
    public int MaxRequestBodyBytes { get; set; } = 1 << 20;

    /// <summary>The largest response body that is kept, 0 bytes to 64 MiB. Of a larger one only status and headers are kept: the first caller
    /// receives it as it comes, a duplicate is told that it was not kept (409), and nothing is executed again. Default 256 KiB.</summary>
    public int MaxResponseBodyBytes { get; set; } = 256 << 10;

    /// <summary>Request headers that are part of the fingerprint, beside <c>Content-Type</c> (without what changes nothing: <c>charset=utf-8</c>, the
    /// boundary of a multipart body) and <c>Content-Encoding</c>, which always are.</summary>
    public IList<string> FingerprintHeaders { get; private set; } = [];

    /// <summary>Computes the fingerprint in our place, from the request and its whole body: over chosen members of a JSON document, say.
    /// Default: method, scheme, authority, path, query, headers as above, and body.</summary>
    /// <remarks>Of a form that was read before (a check against forgery does), the body is what the form says, in a form of our own: look at
    /// <c>Request.Form</c> instead.</remarks>
    public Func<HttpContext, ReadOnlyMemory<byte>, Fingerprint>? FingerprintFor { get; set; }

    /// <summary>Response headers that are kept and replayed.</summary>
    /// <remarks>Never kept nor replayed, whatever is added: <c>Set-Cookie</c>, <c>Date</c>, and what belongs to one connection or one message; a record
    /// that has one is not what was written, and is answered as unreadable. <c>Request-Id</c> names one request: add it if the first one's name is to be
    /// told again. Not kept either: what the response had before the endpoint ran. Always
    /// kept: the <c>Content-Encoding</c> of an endpoint that encodes its body itself.</remarks>
    public ISet<string> KeptHeaders { get; private set; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase)
    {
        "Content-Type", "Content-Language", "Content-Disposition", "Location", "ETag", "Last-Modified", "Link", "Deprecation", "Sunset",
        "Content-Security-Policy", "Content-Security-Policy-Report-Only", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
        "Permissions-Policy", "Cross-Origin-Embedder-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy",
    };

    /// <summary>Whether responses are encrypted before they are stored, with the keys of the application's data protection
    /// (<c>services.AddDataProtection()</c>, which must be there; keep its keys where all nodes find them). Default false. Responses that were stored in
    /// the clear before are still read. What cannot be decrypted (its key was revoked) is answered as unreadable, and not executed again.</summary>
    public bool EncryptsResponses { get; set; }

    /// <summary>Whether an endpoint that streams its response is cancelled when its client leaves. Default false: what has begun runs to its end.</summary>
    /// <remarks>Request timeouts (<c>WithRequestTimeout</c>, the default policy) always cancel. A client that leaves never cancels an endpoint that
    /// does not stream: its outcome is what the client comes back for.</remarks>
    public bool CancelStreamsOfClientsThatLeft { get; set; }

    /// <summary>What is done with the key for a status, where that shall differ from the defaults.</summary>
    /// <remarks>
    /// Defaults: 401, 403, 407, 408, 412, 421, 425, 429, 501, 503 and 505 release; every other 5xx holds, because what was to be done may have been
    /// done; everything else is kept. After the point of no return 5xx is kept as unknown, and the rest is kept.
    /// </remarks>
    public IDictionary<int, IdempotencyDisposition> Statuses { get; private set; } = new Dictionary<int, IdempotencyDisposition>();

    /// <summary>What is done with the key when the endpoint throws. Default <see cref="IdempotencyOutcomes.Default"/>: released only where nothing can
    /// have been done, held otherwise; kept as unknown after the point of no return. (An exception cannot be replayed: keep means unknown here.)</summary>
    public IdempotencyOutcomes Outcomes { get; set; } = IdempotencyOutcomes.Default;

    /// <summary>Writes the body of a problem answer in our place, for those who imitate an existing interface. Status, <c>Retry-After</c> and
    /// <c>Cache-Control</c> are set before, and may be changed. Runs for every problem of the endpoint except mistakes that leave it without options.
    /// What it throws comes out. Default null: problem details (RFC 9457).</summary>
    public Func<HttpContext, IdempotencyProblem, ValueTask>? WriteProblem { get; set; }

    /// <summary>The beginning of the <c>type</c> of problem answers; a name such as <c>key-reused</c> follows. Default
    /// <c>urn:resilience:idempotency:</c>; give it the address of your documentation.</summary>
    public string ProblemTypeBase { get; set; } = "urn:resilience:idempotency:";

    /// <summary>The type of the object in whose transaction rows and response are committed together; see <see cref="InTransactionOf{TContext}"/>. Default
    /// null: they are not.</summary>
    public Type? TransactionOf { get; set; }

    /// <summary>How they are, where <see cref="TransactionOf"/> is set.</summary>
    public EndpointTransactionOptions Transaction { get; private set; } = new();

    /// <summary>Commits the rows of the endpoint and the record of its response in one transaction, which is begun for it on the context of the request: both
    /// are there, or neither is. The response is held back until then, also one that is streamed.</summary>
    /// <typeparam name="TContext">The context that the endpoint works with, whose database keeps the records: <c>UseEntityFrameworkCore&lt;TContext&gt;()</c>.
    /// </typeparam>
    /// <param name="configure">Sets the rest.</param>
    /// <returns>These options.</returns>
    public IdempotencyEndpointOptions InTransactionOf<TContext>(Action<EndpointTransactionOptions>? configure = null)
        where TContext : class
    {
        TransactionOf = typeof(TContext);
        configure?.Invoke(Transaction);
        return this;
    }

    /// <inheritdoc/>
    protected override string Kind => "idempotency-endpoints";

    /// <inheritdoc/>
    protected override PolicyOptions CopyCore()
    {
        IdempotencyEndpointOptions copy = (IdempotencyEndpointOptions)base.CopyCore();
        copy.FingerprintHeaders = [.. FingerprintHeaders];
        copy.KeptHeaders = new HashSet<string>(KeptHeaders, StringComparer.OrdinalIgnoreCase);
        copy.Statuses = new Dictionary<int, IdempotencyDisposition>(Statuses);
        copy.Transaction = Transaction.Copy();
        return copy;
    }

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        KeyedOptions.CheckGate(check, this);
        check.Require(IsToken(HeaderName), nameof(HeaderName), HeaderName, "the name of a header");
        KeyedOptions.CheckKeys(check, this);
        check.Number(nameof(MaxRequestBodyBytes), MaxRequestBodyBytes, 0, 1 << 30);
        check.Number(nameof(MaxResponseBodyBytes), MaxResponseBodyBytes, 0, 64 << 20);
        check.Require(ProblemTypeBase is not null, nameof(ProblemTypeBase), null, "a URI, or the beginning of one");
        check.Require(Outcomes is not null, nameof(Outcomes), null, "an IdempotencyOutcomes, not null");
        foreach (OptionProblem problem in Transaction.FindProblems())
            check.Require(false, $"{nameof(Transaction)}.{problem.Option}", problem.Value, problem.Allowed);
        foreach ((int status, IdempotencyDisposition disposition) in Statuses)
        {
            check.Require(status is >= 200 and <= 599, nameof(Statuses), status, "statuses from 200 to 599");
            check.Defined($"{nameof(Statuses)}[{status}]", disposition);
        }
    }

    /// <summary>What the gate is to have otherwise for these endpoints.</summary>
    internal IdempotencyTerms Terms => KeyedOptions.TermsOf(this);

    internal IdempotencyDisposition DispositionOf(int status, bool isPastPointOfNoReturn)
    {
        if (Statuses.TryGetValue(status, out IdempotencyDisposition chosen)) return chosen;
        if (status >= 500 && isPastPointOfNoReturn) return IdempotencyDisposition.KeepAsOutcomeUnknown;
        if (status >= 500) return status is 501 or 503 or 505 ? IdempotencyDisposition.Release : IdempotencyDisposition.Hold;
        bool mayPass = status is 401 or 403 or 407 or 408 or 412 or 421 or 425 or 429;
        return mayPass && !isPastPointOfNoReturn ? IdempotencyDisposition.Release : IdempotencyDisposition.Keep;
    }

    internal static bool IsToken(string? name) => !string.IsNullOrEmpty(name) && name.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c));
}

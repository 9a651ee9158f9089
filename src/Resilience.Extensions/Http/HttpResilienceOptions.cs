using Resilience.Extensibility;

namespace Resilience.Http;

/// <summary>What the handlers of one <see cref="HttpClient"/> do besides running its policies. Read when they are made.</summary>
public abstract class HttpResilienceOptions : PolicyOptions
{
    private protected HttpResilienceOptions()
    {
    }

    /// <summary>How many authorities (scheme, host and port) may have circuits, budgets and limits of their own, 1 to 100,000. Default
    /// 1,000. When they are full, the least used ones whose circuits are closed and whose limits are idle are forgotten; if
    /// there are none, further authorities share <see cref="HttpResilience.Overflow"/>.</summary>
    public int MaxAuthorities { get; set; } = 1000;

    /// <summary>How many authorities are told apart in telemetry and logs, 0 to 100,000. Default 50. Each further one keeps a circuit, a budget and a
    /// limit of its own, but is counted and logged as <c>client/other</c>: hosts that are called once do not make metric series for ever. Exceptions
    /// name all of them.</summary>
    public int MaxNamedAuthorities { get; set; } = 50;

    /// <summary>What shares a circuit, a budget and a limit: requests for which this gives the same text. Default null: those to the same
    /// authority. A constant makes one for the whole client. A throw or null means the empty text.</summary>
    public Func<HttpRequestMessage, string?>? PartitionBy { get; set; }

    /// <summary>Rules of yours on what answers and errors mean, asked before the table of HTTP (<see cref="HttpClassifier"/>). Default null: none. Runs
    /// once for each authority.</summary>
    public Func<OutcomeClassifier, OutcomeClassifier>? Classify { get; set; }

    /// <summary>Whether 429 speaks against the health of the server, so that circuit breakers count it. Default false: it is well and asks for
    /// patience. It is repeated either way.</summary>
    public bool ThrottlingCounts { get; set; }

    /// <summary>Which requests are meant to be held open by the server, and how long. Default: none.</summary>
    public LongPollOptions LongPolls { get; private set; } = new();

    /// <summary>Whether the place of a concurrency limit is kept until the end of the body also where the body is read as a stream
    /// (<see cref="HttpCompletionOption.ResponseHeadersRead"/>, <c>GetStreamAsync</c>). Default false: a stream gives it back when its reading
    /// begins. Bodies that <see cref="HttpClient"/> reads into memory keep it to their end in any case. A response that is disposed of, that breaks
    /// off, or that is lost without being disposed of gives it back.</summary>
    public bool HoldPlaceForStreams { get; set; }

    /// <summary>Whether the body is read inside the attempt, so that an answer that breaks off is retried and counts against the
    /// circuit, and the attempt timeout covers the body too. It leaves alone what has no end of its own: an upgraded connection (101, CONNECT) and
    /// event streams. Default false.</summary>
    public bool BufferResponses { get; set; }

    /// <summary>The largest body that is buffered, 1 to 2,147,483,647 bytes. Default 10 MiB. A larger one ends the call: it is neither
    /// retried nor counted against the dependency.</summary>
    public long MaxBufferedResponseBytes { get; set; } = 10 * 1024 * 1024;

    /// <summary>How long a body may be silent while it is read, 1 ms to a day; then the read fails with an
    /// <see cref="IOException"/>. It cuts no stream that keeps talking, and no upgraded connection (101, CONNECT). Default null: as long as it likes,
    /// except where the pipeline has lifted <see cref="HttpClient.Timeout"/>: there a body that is no event stream may be silent for as long as
    /// the total timeout.</summary>
    public TimeSpan? ReadIdleTimeout { get; set; }

    /// <summary>How long it may take from the beginning of the call (of a long poll: from the headers of the answer) until the body of the response has
    /// been read, in whatever way it is read and however much it talks, 1 ms to a day; then the read fails with an <see cref="IOException"/>. It cuts no
    /// event stream and no upgraded connection. Default null: as long as it likes, except where the pipeline has lifted
    /// <see cref="HttpClient.Timeout"/>: there the total timeout bounds what <see cref="HttpClient"/> reads into memory, and JSON.</summary>
    /// <remarks>JSON because <c>GetFromJsonAsync</c> reads it as a stream that looks like any other, and the timeout of the client bounded it. Where JSON is
    /// streamed for longer than the total, say so here.</remarks>
    public TimeSpan? BodyTimeout { get; set; }

    /// <summary>How many bytes are kept, while the first attempt sends them, of a request body that could not be sent again otherwise, or
    /// whose source may have changed by then: contents that write by code of their own, JSON that is computed while it is written,
    /// streams. 0 to 2,147,483,647 bytes; 0: none are kept. Default 65,536.</summary>
    /// <remarks>Nothing is read ahead and nothing waits. A body that ends within the bound is repeated with the same bytes, and may be
    /// hedged from then on; of one that is longer, or that is cut off while it is sent, nothing is kept, and it is sent once unless its
    /// stream can be rewound. Memory is taken as the bytes come, and only for requests that may be repeated.</remarks>
    public int ReplayBufferBytes { get; set; } = 64 * 1024;

    /// <summary>Request bodies up to this size that can be sent only once are read into memory before the first attempt, so that they can
    /// be repeated and hedged from the beginning; not for live sources. 0 to 2,147,483,647 bytes. Default 0: never.</summary>
    /// <remarks>Memory is taken as the bytes come. Applies to streams, and to other contents that know their length.</remarks>
    public int BufferRequestBytes { get; set; }

    /// <summary>The name of a request header that carries the milliseconds that are left for the attempt, for servers that give up in
    /// time. Default null: none is sent.</summary>
    public string? DeadlineHeader { get; set; }

    /// <summary>To which hosts the time that is left for the attempt, the class of the call and the number of the attempt are sent
    /// (<c>X-Request-Timeout-Ms</c>, <c>X-Request-Criticality</c>, <c>X-Request-Attempt</c>): those that are yours. Default null: names without a dot,
    /// as service discovery and containers use them, and loopback. What it throws is counted and means false. <see cref="DeadlineHeader"/> is sent to
    /// all hosts.</summary>
    /// <remarks>A deadline and a class are nothing that strangers should know, and nothing that they would act on. Headers that the caller of the client
    /// has set are not replaced.</remarks>
    public Func<Uri, bool>? PropagateTo { get; set; }

    /// <summary>Of which hosts it is believed when they say that a request shall not be repeated (<c>X-Should-Retry: false</c> and what others call it).
    /// Default null: of all. What it throws is counted and means true.</summary>
    public Func<Uri, bool>? HonorDoNotRetryFrom { get; set; }

    /// <summary>Gets new credentials when a server answers 401. True: it has them, and the request is sent once more <b>within the same attempt</b>, so it
    /// costs no retry and no budget, and moves no circuit. Default null: a 401 is an answer like others.</summary>
    /// <remarks>
    /// <para>It is given the request that was answered, to be read, and a token. New credentials go where the handler behind this one finds them that puts
    /// them on each request. Also a request that must not be made twice is sent again, because a 401 says that nothing was done, unless its content can be
    /// sent only once.</para>
    /// <para>Asked once for each call, and once at a time for the client: calls that are answered 401 meanwhile wait for the same answer, and those that
    /// were sent with the former credentials take it. What it throws is counted and means false. Its token is cancelled when no call waits for it.</para>
    /// </remarks>
    public Func<HttpRequestMessage, CancellationToken, ValueTask<bool>>? RefreshCredentials { get; set; }

    /// <summary>The header whose presence says that repeating a request does no harm, whatever its method. Default
    /// <c>Idempotency-Key</c>.</summary>
    public string IdempotencyHeader { get; set; } = IdempotencyKeyOptions.DefaultHeader;

    /// <summary>What is done with requests that a library above this client, such as an SDK, repeats itself. It shows by their headers: the AWS SDK's from the
    /// first request on, those of Kiota, Azure and Stripe from the first repetition on. Default <see cref="StackedRetries.Yield"/>: one attempt for each,
    /// and one warning in the log.</summary>
    public StackedRetries StackedRetries { get; set; }

    /// <summary>What can be configured of the handlers.</summary>
    private protected static PolicySettings<TOptions> DeclareHandlers<TOptions>(PolicySettings<TOptions> keys)
        where TOptions : HttpResilienceOptions => keys
        .Whole(nameof(MaxAuthorities), null, static (o, v) => o.MaxAuthorities = v, 1, 100_000,
            "How many authorities may have circuits, budgets and limits of their own. Default 1000.")
        .Flag(nameof(ThrottlingCounts), static (o, v) => o.ThrottlingCounts = v,
            "Whether 429 counts against the circuit. Default false: the server is well and asks for patience.")
        .Whole(nameof(MaxNamedAuthorities), null, static (o, v) => o.MaxNamedAuthorities = v, 0, 100_000,
            "How many authorities are told apart in telemetry and logs; the others are called 'other' there. Default 50.")
        .Group(nameof(LongPolls), static o => o.LongPolls, LongPollOptions.Settings,
            "Requests that the server is meant to hold open: the timeouts of the pipeline do not hold for them, and their own is no failure.")
        .Flag(nameof(HoldPlaceForStreams), static (o, v) => o.HoldPlaceForStreams = v,
            "Whether the place of the concurrency limit is kept until the end of a body that is read as a stream. Default false.")
        .Flag(nameof(BufferResponses), static (o, v) => o.BufferResponses = v,
            "Whether bodies are read inside the attempt, so that an answer that breaks off is retried. Default false.")
        .Whole(nameof(MaxBufferedResponseBytes), null, static (o, v) => o.MaxBufferedResponseBytes = v, 1, int.MaxValue,
            "The largest body that is buffered. Default 10485760.")
        .Span(nameof(ReadIdleTimeout), null, static (o, v) => o.ReadIdleTimeout = v, TimeSpan.Zero, null,
            "How long a body may be silent while it is read, from 1 ms to a day. Default: as long as it likes.")
        .Span(nameof(BodyTimeout), null, static (o, v) => o.BodyTimeout = v, TimeSpan.Zero, null,
            "By when, from the beginning of the call, a body must have been read, from 1 ms to a day. Default: see the page on HttpClient.")
        .Whole(nameof(ReplayBufferBytes), null, static (o, v) => o.ReplayBufferBytes = v, 0, int.MaxValue,
            "Bytes kept of request bodies that could not be sent again otherwise, while they are sent. Default 65536.")
        .Whole(nameof(BufferRequestBytes), null, static (o, v) => o.BufferRequestBytes = v, 0, int.MaxValue,
            "One-shot request bodies up to this size are read into memory so that they can be repeated. Default 0.")
        .Choice(nameof(StackedRetries), static o => o.StackedRetries, static (o, v) => o.StackedRetries = v,
            "What is done with requests that an SDK above this client repeats itself. Default Yield: one attempt for each.")
        .Text(nameof(DeadlineHeader), static (o, v) => o.DeadlineHeader = v,
            "A request header that carries the milliseconds left for the attempt. Default: none.");

    /// <inheritdoc/>
    protected override PolicyOptions CopyCore()
    {
        HttpResilienceOptions copy = (HttpResilienceOptions)base.CopyCore();
        copy.LongPolls = LongPolls.Copy();
        return copy;
    }

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Number(nameof(MaxAuthorities), MaxAuthorities, 1, 100_000);
        check.Number(nameof(MaxNamedAuthorities), MaxNamedAuthorities, 0, 100_000);
        LongPolls.Check(check);
        check.Require(
            MaxBufferedResponseBytes is >= 1 and <= int.MaxValue, nameof(MaxBufferedResponseBytes), MaxBufferedResponseBytes, "from 1 to 2147483647");
        if (ReadIdleTimeout is { } idle) check.Span(nameof(ReadIdleTimeout), idle, TimeSpan.FromMilliseconds(1));
        if (BodyTimeout is { } body) check.Span(nameof(BodyTimeout), body, TimeSpan.FromMilliseconds(1));
        check.Require(Enum.IsDefined(StackedRetries), nameof(StackedRetries), StackedRetries, "Yield, Report or Allow");
        check.Number(nameof(ReplayBufferBytes), ReplayBufferBytes, 0);
        check.Number(nameof(BufferRequestBytes), BufferRequestBytes, 0);
        check.Require(DeadlineHeader is null || HeaderText.IsName(DeadlineHeader), nameof(DeadlineHeader), DeadlineHeader, "the name of a header, or null");
        check.Require(HeaderText.IsName(IdempotencyHeader), nameof(IdempotencyHeader), IdempotencyHeader, "the name of a header");
    }
}

/// <summary>What may stand in headers.</summary>
internal static class HeaderText
{
    /// <summary>A token of RFC 9110: what a header may be called.</summary>
    internal static bool IsName(string? name) =>
        !string.IsNullOrEmpty(name) && name.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal));
}

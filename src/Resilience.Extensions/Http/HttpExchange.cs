using System.Net;
using System.Runtime.ExceptionServices;
using Resilience.Extensibility;

namespace Resilience.Http;

/// <summary>One request that another library sends by a transport of its own, such as the pipeline of an SDK, on its way through the policies of a client:
/// attempts, verdicts, <c>Retry-After</c>, circuits and budgets are those of <see cref="ResilienceHttpHandler"/>. For authors of adapters; used once, by one
/// caller at a time.</summary>
/// <remarks>
/// The library keeps its message from attempt to attempt, so it can send contents again that no handler below it could, and it says itself which
/// answers may pass (<see cref="MayPass"/>). In return there is one message: nothing is hedged and nothing answers in its place.
/// </remarks>
public abstract class HttpExchange
{
    /// <summary>What the table of HTTP reads of an answer besides its status.</summary>
    private static readonly string[] ReadHeaders =
        ["Retry-After", "retry-after-ms", "x-ms-retry-after-ms", "Date", "Age", ShouldRetryHeader, "Stripe-Should-Retry", "finagle-http-nonretryable-nack"];

    private const string ShouldRetryHeader = "X-Should-Retry";

    private static readonly string[] UsualKeyHeaders = [IdempotencyKeyOptions.DefaultHeader];

    private string? _keyHeader; // in which the service looks for a key
    private HttpResponseMessage? _view; // of the last answer
    private Exception? _thrown; // by the last attempt, where it was judged by a cause inside of it
    private Exception? _cause;

    /// <summary>Where it is sent.</summary>
    protected abstract Uri Address { get; }

    /// <summary>Its method, such as <c>GET</c>.</summary>
    protected abstract string Method { get; }

    /// <summary>The status of the last answer; 0: there is none.</summary>
    protected abstract int Status { get; }

    /// <summary>Whether the library takes the last answer, an error, for one that may pass; null (the default): the table of HTTP decides. Asked after each
    /// error.</summary>
    protected virtual bool? MayPass => null;

    /// <summary>Why another attempt would not be safe if the last one may have been carried out; null: it is safe. By default what RFC 9110 calls
    /// idempotent is, and what carries a key.</summary>
    protected virtual string? RepeatObjection => IsIdempotent(Method) || HasKey ? null : $"{Method} is not repeated without a key or your word";

    /// <summary>Headers by which the request says that it may be repeated. Default <c>Idempotency-Key</c>.</summary>
    protected virtual IReadOnlyList<string> KeyHeaders => UsualKeyHeaders;

    /// <summary>A header of the request; null: it has none of that name.</summary>
    protected abstract string? RequestHeader(string name);

    /// <summary>Gives the request a header that it has not.</summary>
    protected abstract void SetRequestHeader(string name, string value);

    /// <summary>A header of the last answer; null: it has none of that name.</summary>
    protected abstract string? AnswerHeader(string name);

    /// <summary>An attempt begins: what is left of the former one is thrown away, and times are set.</summary>
    /// <param name="number">Its number, the first is 0.</param>
    /// <param name="timeLeft">How long it may take; null: no policy limits it. The transport of the library is to keep to it.</param>
    protected abstract void Begin(int number, TimeSpan? timeLeft);

    /// <summary>Sends it once.</summary>
    protected abstract ValueTask SendAsync();

    /// <summary>Sends it once, on the thread of the caller.</summary>
    protected abstract void Send();

    /// <summary>What an exception of the library is judged by. By default it is itself.</summary>
    protected virtual Exception CauseOf(Exception error) => error;

    /// <summary>Gives a request that is not safe to repeat a key, the same in all of its attempts, unless it carries one.</summary>
    /// <param name="header">The header in which the service looks for it.</param>
    /// <exception cref="ArgumentException"><paramref name="header"/> is null or empty.</exception>
    public void EnsureKey(string header)
    {
        ArgumentException.ThrowIfNullOrEmpty(header);
        _keyHeader = header;
        if (RepeatObjection is not null) SetRequestHeader(header, Guid.NewGuid().ToString());
    }

    /// <summary>The policies in the place of an SDK's retry: <see cref="StandardResilienceOptions"/> without timeouts, because the SDK bounds each attempt
    /// itself.</summary>
    /// <param name="options">The SDK's options, for the name where none is given: <c>BlobClient</c> for <c>BlobClientOptions</c>.</param>
    /// <param name="configure">Changes the options of this library.</param>
    /// <param name="name">The name in telemetry.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">A number is out of its range.</exception>
    public static HttpResilience NewResilience(object options, Action<StandardResilienceOptions>? configure = null, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        StandardResilienceOptions standard = new() { TotalTimeout = null, AttemptTimeout = null };
        configure?.Invoke(standard);
        return HttpResilience.Standard(standard, name ?? NameOf(options.GetType().Name));
    }

    /// <summary>Runs it through the policies for its address. When this ends without an exception, the library has the answer that counts.</summary>
    /// <param name="resilience">The policies. Without hedging and fallback, see <see cref="ThrowIfUnsuited"/>.</param>
    /// <param name="cancellationToken">The caller's token, which the library's transport honors by itself.</param>
    /// <exception cref="ArgumentNullException"><paramref name="resilience"/> is null.</exception>
    /// <exception cref="ResilienceException">A policy rejected the call.</exception>
    public async ValueTask ExecuteAsync(HttpResilience resilience, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(resilience);
        Finish(await resilience.For(Address).Pipeline.TryExecuteAsync(
            new CallOptions(Method), static (context, self) => self.AttemptAsync(context), this, cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc cref="ExecuteAsync"/>
    /// <remarks>All of it happens on the thread of the caller.</remarks>
    public void Execute(HttpResilience resilience, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(resilience);
        Finish(resilience.For(Address).Pipeline.TryExecute(
            new CallOptions(Method), static (context, self) => self.Attempt(context), this, cancellationToken));
    }

    /// <summary>Throws where the policies want what an exchange cannot give.</summary>
    /// <param name="resilience">The policies.</param>
    /// <exception cref="ArgumentNullException"><paramref name="resilience"/> is null.</exception>
    /// <exception cref="ArgumentException">There is a hedging or a fallback among them, or they make partitions by <c>PartitionBy</c>, which sees
    /// messages of <see cref="HttpClient"/>.</exception>
    public static void ThrowIfUnsuited(HttpResilience resilience)
    {
        ArgumentNullException.ThrowIfNull(resilience);
        if (resilience.Options.PartitionBy is not null)
        {
            throw new ArgumentException(
                "PartitionBy works on the requests of an HttpClient, and an SDK has none: leave it unset. The circuits of an SDK are kept by authority.",
                nameof(resilience));
        }

        if (resilience.Describe().Policies.FirstOrDefault(p => p.Role is PolicyRole.Hedging or PolicyRole.Fallback) is { } unsuited)
        {
            throw new ArgumentException(
                "An SDK's request is one message, which no two attempts can send at once and no other answer can replace: "
                + $"take '{unsuited.Name}' out of the policies.",
                nameof(resilience));
        }
    }

    private async ValueTask<HttpResponseMessage> AttemptAsync(ResilienceContext context)
    {
        Prepare(context);
        try
        {
            await SendAsync().ConfigureAwait(false);
        }
        catch (Exception error) when (HasCause(error))
        {
            ExceptionDispatchInfo.Throw(_cause!);
        }

        return View();
    }

    private HttpResponseMessage Attempt(ResilienceContext context)
    {
        Prepare(context);
        try
        {
            Send();
        }
        catch (Exception error) when (HasCause(error))
        {
            ExceptionDispatchInfo.Throw(_cause!);
        }

        return View();
    }

    private void Prepare(ResilienceContext context)
    {
        (_view, _thrown, _cause) = (null, null, null);
        if (RepeatObjection is { } objection) context.ForbidRetry(objection, unlessNotApplied: true);
        Begin(context.Attempt, context.RemainingTime);
    }

    private bool HasCause(Exception error)
    {
        Exception cause = CauseOf(error);
        if (ReferenceEquals(cause, error)) return false;
        (_thrown, _cause) = (error, cause);
        return true;
    }

    /// <summary>The answer as the table of HTTP reads it.</summary>
    private HttpResponseMessage View()
    {
        HttpResponseMessage view = new((HttpStatusCode)Status);
        foreach (string name in ReadHeaders)
        {
            if (AnswerHeader(name) is { } value) view.Headers.TryAddWithoutValidation(name, value);
        }

        if (Status >= 400 && !view.Headers.NonValidated.Contains(ShouldRetryHeader) && MayPass is { } mayPass)
            view.Headers.TryAddWithoutValidation(ShouldRetryHeader, mayPass ? "true" : "false");
        return _view = view;
    }

    private void Finish(in Outcome<HttpResponseMessage> outcome)
    {
        if (outcome.TryGetValue(out HttpResponseMessage? answer))
        {
            if (!ReferenceEquals(answer, _view))
                throw new NotSupportedException("A policy returned a response that did not come from the SDK's transport, and the SDK cannot take it.");
            return;
        }

        if (_cause is not null && ReferenceEquals(outcome.Exception, _cause)) ExceptionDispatchInfo.Throw(_thrown!);
        outcome.GetValueOrThrow();
    }

    private bool HasKey => (_keyHeader is { } own && HasValue(own)) || KeyHeaders.Any(HasValue);

    private bool HasValue(string header) => !string.IsNullOrWhiteSpace(RequestHeader(header));

    private static string NameOf(string type) => type.EndsWith("Options", StringComparison.Ordinal) ? type[..^"Options".Length] : type;

    private static bool IsIdempotent(string method) => method is "GET" or "HEAD" or "PUT" or "DELETE" or "OPTIONS" or "TRACE" or "QUERY";
}

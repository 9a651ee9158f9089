using System.Net;
using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>One request of the caller on its way through the pipeline: makes the attempts, says which of them may be repeated, and turns
/// the ending into what callers of <see cref="HttpClient"/> expect.</summary>
internal sealed class HttpCall
{
    private const string UnkeyedPost = $"POST without {IdempotencyKeyOptions.DefaultHeader} is not repeated";

    private readonly ResilienceHttpHandler _handler;
    private readonly HttpResilience _resilience;
    private readonly HttpResilienceOptions _options;
    private readonly HttpRequestMessage _request;
    private readonly HttpRequestOverrides? _overrides;
    private readonly bool _isSynchronous;
    private readonly string? _repeatObjection; // why a failed attempt that was sent must not be repeated; null when it may
    private readonly bool _isSafeByKey; // repeated only because it carries a key
    private readonly bool _isLongPoll; // the server is meant to hold it
    private readonly long _begun;
    private RequestBody _body;
    private HttpAuthority? _authority; // from the beginning of the call on
    private CancellationToken _callers;
    private AttemptContent? _content; // of the attempt that was made last
    private HttpAttempt[]? _history; // since the first failure; replaced as a whole, because an attempt that was left alone may still add its end
    private long _lastEnd;

    internal HttpCall(
        ResilienceHttpHandler handler, HttpResilience resilience, HttpRequestMessage request, HttpRequestOverrides? overrides, bool isSynchronous)
    {
        _handler = handler;
        _resilience = resilience;
        _options = resilience.Options;
        _request = request;
        _overrides = overrides;
        _begun = resilience.Time.GetTimestamp();
        _isSynchronous = isSynchronous;
        _body = request.Content is { } content ? RequestBody.Of(content, overrides) : RequestBody.None;
        _repeatObjection = ObjectionTo(request, overrides, _options);
        _isLongPoll = overrides?.IsLongPoll ?? _options.LongPolls.IsOne(request);
        _isSafeByKey = _repeatObjection is null && overrides?.IsRepeatable is null && !IsIdempotent(request.Method);
    }

    internal async Task<HttpResponseMessage> RunAsync(CancellationToken cancellationToken)
    {
        _callers = cancellationToken;
        if (_options.BufferRequestBytes > 0 && !_body.IsReplayable)
            _body = await RequestBody.BufferedAsync(_body, _options.BufferRequestBytes, cancellationToken).ConfigureAwait(false);

        HttpAuthority authority = _authority = _resilience.Find(_request, _options);
        CallOptions options = new(_overrides?.Operation ?? _request.Method.Method) { Properties = HttpRequestOverrides.ToProperties(_overrides, _isLongPoll) };
        Outcome<HttpResponseMessage> outcome = await authority.Pipeline
            .TryExecuteAsync(options, static (context, call) => call.AttemptAsync(context), this, cancellationToken).ConfigureAwait(false);
        return Finish(outcome, authority);
    }

    /// <summary>What is safe to repeat by RFC 9110, or because a key says so, or because the caller does.</summary>
    private static string? ObjectionTo(HttpRequestMessage request, HttpRequestOverrides? overrides, HttpResilienceOptions options)
    {
        if (overrides?.IsRepeatable is { } said) return said ? null : "the caller said that this request is not repeated";
        if (IsIdempotent(request.Method) || request.Headers.NonValidated.Contains(options.IdempotencyHeader)) return null;
        return request.Method == HttpMethod.Post && options.IdempotencyHeader == IdempotencyKeyOptions.DefaultHeader
            ? UnkeyedPost
            : $"{request.Method} without {options.IdempotencyHeader} is not repeated";
    }

    private static bool IsIdempotent(HttpMethod method) =>
        method == HttpMethod.Get || method == HttpMethod.Put || method == HttpMethod.Delete || method == HttpMethod.Head
        || method == HttpMethod.Options || method == HttpMethod.Trace || method == HttpMethod.Query;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<HttpResponseMessage> AttemptAsync(ResilienceContext context)
    {
        int number = context.Attempt;
        CancellationToken token = context.CancellationToken;

        // A hedge runs beside the attempt before it, and both send what is in memory. What is read from a source is not hedged.
        if (_content is { } former && (!_resilience.IsHedged || former.IsOver || !_body.IsShareable)) await WaitForAsync(former, token).ConfigureAwait(false);
        AttemptContent? content = _content = _body.ForAttempt(_callers, token);
        HttpRequestMessage message = NewMessage(content, context);
        if (number == 0) HttpTelemetry.DescribeOperation(_request);
        else ResendCount.Set(number);

        // Said before: an attempt that somebody walks away from may never come to say it after.
        string? objection = ObjectionAfter(number, message, wasSent: true, bodyHasBegun: true);
        if (_resilience.IsHedged && !_body.IsShareable) objection ??= "its content cannot be sent by two attempts at once";
        bool isForbidden = Forbid(context, objection, false);
        using CancellationTokenRegistration registration = content?.StopWith(token) ?? default;
        long start = _resilience.Time.GetTimestamp();
        _authority!.Touch(start);
        HttpResponseMessage? response = null;
        try
        {
            response = _isLongPoll && _options.LongPolls.Timeout is { } most ? await PollAsync(message, most, token).ConfigureAwait(false)
                : _isSynchronous ? _handler.SendAttempt(message, token) : await _handler.SendAttemptAsync(message, token).ConfigureAwait(false);
            response.RequestMessage ??= message;
            long from = _isLongPoll ? _resilience.Time.GetTimestamp() : _begun;
            await ResponseBody.ReadAsync(response, _request, _resilience, _overrides, context, from).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            response?.Dispose();
            content?.IsOver = true;
            Forbid(context, ObjectionAfter(number, message, !HttpClassifier.IsSafeBeforeSend(error), content is { HasBegun: true }), isForbidden);
            RecordFailure(number, start, null, NameOf(error, token));
            throw;
        }

        content?.IsOver = true;
        Forbid(context, ObjectionAfter(number, message, wasSent: true, content is { HasBegun: true }), isForbidden);
        if ((int)response.StatusCode >= 400 || number > 0) Look(response, message, number, start);
        return response;
    }

    private bool MayHaveEmptyBody() =>
        _request.Method == HttpMethod.Post || _request.Method == HttpMethod.Put || _request.Method == HttpMethod.Patch
        || (_repeatObjection is not null && _request.Method != HttpMethod.Connect);

    private static bool Forbid(ResilienceContext context, string? objection, bool wasForbidden)
    {
        if (objection is not null) context.ForbidRetry(objection);
        else if (wasForbidden) context.AllowRetry();
        return objection is not null;
    }

    private string? ObjectionAfter(int number, HttpRequestMessage message, bool wasSent, bool bodyHasBegun)
    {
        if (wasSent && _repeatObjection is not null) return _repeatObjection;
        if (_isSafeByKey && message.Options.TryGetValue(SafeRedirectHandler.HasLostKey, out bool hasLostKey) && hasLostKey)
            return "it was redirected to another origin, which did not get the key";
        if (bodyHasBegun && !_body.IsReplayable) return "its content can be sent only once";
        return _overrides?.MaxRetries is { } most && number >= most ? "the caller allows no more retries" : null;
    }

    /// <summary>The former attempt may still be reading the caller's content.</summary>
    private static async ValueTask WaitForAsync(AttemptContent former, CancellationToken token)
    {
        Task drained = former.CloseAsync();
        if (!drained.IsCompleted) await drained.WaitAsync(token).ConfigureAwait(false);
    }

    private HttpRequestMessage NewMessage(AttemptContent? content, ResilienceContext context)
    {
        bool isElsewhere = context.TryGet(HttpRequestOverrides.AttemptUri, out Uri? other) && other is { IsAbsoluteUri: true };
        HttpRequestMessage message = new(_request.Method, isElsewhere ? other : _request.RequestUri)
        {
            Version = _request.Version,
            VersionPolicy = _request.VersionPolicy,
            Content = content,
        };

        // Where a connection is closed without an answer, SocketsHttpHandler sends requests again of which no body was begun, whatever their
        // method, and no budget knows of it. An empty body is one, and on the wire the same as none where a body is customary.
        if (content is null && MayHaveEmptyBody()) message.Content = new ByteArrayContent([]);
        foreach ((string name, System.Net.Http.Headers.HeaderStringValues values) in _request.Headers.NonValidated)
        {
            if (values.Count == 1) message.Headers.TryAddWithoutValidation(name, values.ToString());
            else message.Headers.TryAddWithoutValidation(name, (IEnumerable<string>)values);
        }

        if (_request.Headers.Protocol is { } protocol) message.Headers.Protocol = protocol; // of WebSockets over HTTP/2; it is not among the others
        ICollection<KeyValuePair<string, object?>> options = _request.Options;
        if (options.Count > 0)
        {
            IDictionary<string, object?> copies = message.Options;
            foreach (KeyValuePair<string, object?> option in options) copies[option.Key] = option.Value;
        }

        if (_options.DeadlineHeader is { } deadline && context.RemainingTime is { } left)
        {
            message.Headers.Remove(deadline);
            message.Headers.TryAddWithoutValidation(deadline, ((long)left.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        return message;
    }

    /// <summary>A long poll has a time of its own. That it is up is no failure of the server, so it ends within the attempt, where that can be told.</summary>
    private async ValueTask<HttpResponseMessage> PollAsync(HttpRequestMessage message, TimeSpan most, CancellationToken token)
    {
        using CancellationTokenSource end = new(most, _resilience.Time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(end.Token, token);
        try
        {
            return _isSynchronous ? _handler.SendAttempt(message, either.Token) : await _handler.SendAttemptAsync(message, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException cut) when (end.IsCancellationRequested && !token.IsCancellationRequested)
        {
            throw new TimedOutException(HttpClassifier.LongPollPolicy, most, cut);
        }
    }

    /// <summary>An answer that is not good at once, or that came late.</summary>
    private void Look(HttpResponseMessage response, HttpRequestMessage message, int number, long start)
    {
        if ((int)response.StatusCode == 409) JudgeConflict(response, message, number);
        RecordFailure(number, start, response.StatusCode, null);
    }

    /// <summary>409 to a request with a key: the first attempt is still under way if the server says when to come back, or if it was we
    /// who sent the key before.</summary>
    private void JudgeConflict(HttpResponseMessage response, HttpRequestMessage message, int number)
    {
        if (!_request.Headers.NonValidated.Contains(_options.IdempotencyHeader)) return;
        if (number > 0 || response.Headers.RetryAfter is not null) (response.RequestMessage ?? message).Options.Set(HttpClassifier.IsInFlight, true);
    }

    private void RecordFailure(int number, long start, HttpStatusCode? status, string? error)
    {
        long end = _resilience.Time.GetTimestamp();
        TimeSpan delay = number == 0 || start < _lastEnd ? TimeSpan.Zero : _resilience.Time.GetElapsedTime(_lastEnd, start);
        _lastEnd = end;
        HttpAttempt attempt = new(number, status, error, delay, _resilience.Time.GetElapsedTime(start, end));
        HttpAttempt[]? seen;
        do seen = _history;
        while (Interlocked.CompareExchange(ref _history, [.. seen ?? [], attempt], seen) != seen);
    }

    private string NameOf(Exception error, CancellationToken token) => error switch
    {
        OperationCanceledException when token.IsCancellationRequested => _callers.IsCancellationRequested ? "cancelled" : "timeout",
        HttpRequestException { HttpRequestError: not HttpRequestError.Unknown } http => http.HttpRequestError.ToString(),
        _ => error.GetType().Name,
    };

    private HttpResponseMessage Finish(in Outcome<HttpResponseMessage> outcome, HttpAuthority authority)
    {
        if (outcome.TryGetValue(out HttpResponseMessage? response))
        {
            // The one attempt of a call that was answered with, say, 404 tells nothing that the answer does not.
            if (_history is not null && (_history.Length > 1 || HttpClassifier.IsTransient(response.StatusCode))) HttpAttempts.Remember(response, _history);
            return response;
        }

        Exception error = outcome.Exception!;
        if (error is ResilienceException or TimedOutException)
        {
            Exception translated = new HttpResilienceException(
                MessageOf(error, authority), error, (error as ResilienceException)?.Refusal, outcome.RetryAfter, _history ?? []);
            if (outcome.DoNotRetry) _ = Outcome.Failure<HttpResponseMessage>(translated).MarkedDoNotRetry(); // the mark goes with the exception
            error = translated;
        }

        if (_history is not null) HttpAttempts.Remember(error, _history);
        return Outcome.Failure<HttpResponseMessage>(error).GetValueOrThrow();
    }

    private string MessageOf(Exception error, HttpAuthority authority)
    {
        string history = _history switch
        {
            null => "nothing was sent",
            [HttpAttempt only] => $"1 attempt: {only}",
            _ => $"{_history.Length} attempts: {string.Join<HttpAttempt>("; ", _history)}",
        };
        return $"{_request.Method} {authority.Name}: {error.Message} ({history})";
    }
}

using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using Resilience.Overload;

namespace Resilience.Http;

/// <summary>One request of the caller on its way through the pipeline: makes the attempts, says which of them may be repeated, and turns
/// the outcome into what callers of <see cref="HttpClient"/> expect.</summary>
internal sealed class HttpCall
{
    private const string OnlyOnce = "its content can be sent only once";
    private const string UnkeyedPost = $"POST without {IdempotencyKeyOptions.DefaultHeader} is not repeated";

    private readonly ResilienceHttpHandler _handler;
    private readonly HttpResilienceOptions _options;
    private readonly HttpRequestMessage _request;
    private readonly HttpRequestOverrides? _overrides;
    private readonly bool _isSynchronous;
    private readonly string? _repeatObjection; // why a failed attempt that was sent must not be repeated; null when it may
    private readonly bool _isSafeByKey; // repeated only because it carries a key
    private readonly bool _isLongPoll; // the server is meant to hold it
    private readonly bool _isRepeatedAbove; // by a library above, which is the objection
    private readonly long _begun;
    private RequestBody? _body; // of the content, if there is one
    private HttpAuthority? _authority; // from the beginning of the call on
    private CancellationToken _callers;
    private WatchedContent? _content; // of the attempt that was made last
    private Task<HttpResponseMessage>? _sent; // by the attempt that was made last
    private int _hasRefreshed; // 1: new credentials were asked for
    private Past? _past; // since the first failure; replaced as a whole, because an attempt that was left alone may still add its end

    internal HttpCall(ResilienceHttpHandler handler, HttpRequestMessage request, HttpRequestOverrides? overrides, bool isSynchronous)
    {
        _handler = handler;
        _options = handler.Resilience.Options;
        _request = request;
        _overrides = overrides;
        _begun = handler.Resilience.Time.GetTimestamp();
        _isSynchronous = isSynchronous;
        _repeatObjection = ObjectionTo(request, overrides, _options);
        _isLongPoll = overrides?.IsLongPoll ?? _options.LongPolls.IsOne(request);
        if (_options.StackedRetries != StackedRetries.Allow && Resilience.RetriesAbove.Find(request, _options.IdempotencyHeader) is { } above
            && _options.StackedRetries == StackedRetries.Yield) (_isRepeatedAbove, _repeatObjection) = (true, above);
        _isSafeByKey = _repeatObjection is null && overrides?.IsRepeatable is null && !IsIdempotent(request.Method);
        if (request.Content is { } content) _body = BodyOf(content);
    }

    private HttpResilience Resilience => _handler.Resilience;

    private HttpAttempt[]? History => _past?.Attempts;

    internal Task<HttpResponseMessage> RunAsync(CancellationToken cancellationToken)
    {
        _callers = cancellationToken;
        if (_options.BufferRequestBytes > 0 && _body is { IsReplayable: false }) return LoadAndRunAsync();
        ValueTask<Outcome<HttpResponseMessage>> running;
        try
        {
            running = StartAsync();
        }
        catch (Exception error) // the code of the user that makes the pipeline of a new authority
        {
            running = ValueTask.FromException<Outcome<HttpResponseMessage>>(error);
        }

        if (!running.IsCompletedSuccessfully) return EndAsync(running);
        Outcome<HttpResponseMessage> outcome = running.Result;
        return AnsweredAtOnce(outcome) ?? EndAsync(new(outcome));
    }

    /// <summary>For the synchronous <see cref="HttpClient.Send(HttpRequestMessage)"/>.</summary>
    internal HttpResponseMessage Run(CancellationToken cancellationToken)
    {
        _callers = cancellationToken;
        if (_options.BufferRequestBytes > 0 && _body is { IsReplayable: false })
            _body = BodyOf(ReadAhead.LoadAsync(_request.Content!, _options.BufferRequestBytes, cancellationToken).AsTask().GetAwaiter().GetResult());
        _authority = Resilience.Find(_request, _options);
        Outcome<HttpResponseMessage> outcome = _authority.Pipeline.TryExecute(
            DescribedOptions(),
            static (context, call) => context.WaitIfSynchronous(call.AttemptAsync(context)).GetAwaiter().GetResult(),
            this,
            cancellationToken);
        return Finish(outcome, _authority);
    }

    private async Task<HttpResponseMessage> LoadAndRunAsync()
    {
        _body = BodyOf(await ReadAhead.LoadAsync(_request.Content!, _options.BufferRequestBytes, _callers).ConfigureAwait(false));
        return await EndAsync(StartAsync()).ConfigureAwait(false);
    }

    private ValueTask<Outcome<HttpResponseMessage>> StartAsync()
    {
        _authority = Resilience.Find(_request, _options);
        return _authority.Pipeline.TryExecuteAsync(DescribedOptions(), static (context, call) => call.AttemptAsync(context), this, _callers);
    }

    private CallOptions DescribedOptions() =>
        new(_overrides?.Operation ?? _request.Method.Method) { Properties = HttpRequestOverrides.ToProperties(_overrides, _isLongPoll) };

    private async Task<HttpResponseMessage> EndAsync(ValueTask<Outcome<HttpResponseMessage>> running) =>
        Finish(await running.ConfigureAwait(false), _authority!);

    /// <summary>The task of the one attempt, which is as good as one of our own: it was answered at once, and with what the call returns.</summary>
    private Task<HttpResponseMessage>? AnsweredAtOnce(in Outcome<HttpResponseMessage> outcome) =>
        _past is null && _sent is { IsCompletedSuccessfully: true } sent && outcome.TryGetValue(out HttpResponseMessage? response)
        && ReferenceEquals(sent.Result, response) ? sent : null;

    /// <summary>What is sent once in any case is not kept.</summary>
    private RequestBody BodyOf(HttpContent content) => RequestBody.Of(
        content,
        isCallers: ReferenceEquals(content, _request.Content),
        _handler.Rules,
        isPromised: _overrides is { ReplayContent: true },
        max: (_repeatObjection is null && _overrides?.MaxRetries != 0) || Resilience.Credentials is not null
            ? _overrides?.ReplayBufferBytes ?? _options.ReplayBufferBytes : 0);

    /// <summary>What is safe to repeat by RFC 9110, or because a key says so, or because the caller does.</summary>
    private static string? ObjectionTo(HttpRequestMessage request, HttpRequestOverrides? overrides, HttpResilienceOptions options)
    {
        if (overrides?.IsRepeatable is { } said) return said ? null : "the caller said that this request is not repeated";
        if (IsIdempotent(request.Method) || HasKey(request, options)) return null;
        return request.Method == HttpMethod.Post && options.IdempotencyHeader == IdempotencyKeyOptions.DefaultHeader
            ? UnkeyedPost
            : $"{request.Method} without {options.IdempotencyHeader} is not repeated";
    }

    /// <summary>An empty header is no key: no server tells two requests apart by it.</summary>
    private static bool HasKey(HttpRequestMessage request, HttpResilienceOptions options) =>
        MessageParts.HeadersOf(request) is { } headers
        && headers.NonValidated.TryGetValues(options.IdempotencyHeader, out HeaderStringValues keys)
        && !string.IsNullOrWhiteSpace(keys.ToString());

    private static bool IsIdempotent(HttpMethod method) =>
        method == HttpMethod.Get || method == HttpMethod.Put || method == HttpMethod.Delete || method == HttpMethod.Head
        || method == HttpMethod.Options || method == HttpMethod.Trace || method == HttpMethod.Query;

    private ValueTask<HttpResponseMessage> AttemptAsync(ResilienceContext context) =>
        Resilience.Credentials is { } credentials ? SendWithAsync(credentials, context) : SendAsync(context);

    /// <summary>The attempt, and within it the same once more where new credentials may make a 401 good. That answer says that nothing was done.</summary>
    private async ValueTask<HttpResponseMessage> SendWithAsync(CredentialRefresh<HttpRequestMessage> credentials, ResilienceContext context)
    {
        int generation = credentials.Generation;
        HttpResponseMessage response = await SendAsync(context).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.Unauthorized || _body is { IsReplayable: false }) return response;

        // Once for a call. A hedge runs beside the attempt that asked, and waits for the same answer.
        if (Interlocked.Exchange(ref _hasRefreshed, 1) == 1 && !Resilience.IsHedged) return response;
        CancellationToken token = context.CancellationToken;
        Task<bool> asking = credentials.RunAsync(response.RequestMessage ?? _request, generation, token);
        try
        {
            if (!await context.WaitIfSynchronous(new ValueTask<bool>(asking)).ConfigureAwait(false)) return response;
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            response.Dispose();
            throw;
        }

        response.Dispose();
        context.AllowRetry(); // what stood against it is about what has been answered
        return await SendAsync(context).ConfigureAwait(false);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<HttpResponseMessage> SendAsync(ResilienceContext context)
    {
        int number = context.Attempt;
        CancellationToken token = context.CancellationToken;

        // A hedge runs beside the attempt before it, and both send what is in memory. What is read from a source is not hedged.
        bool isHedged = Resilience.IsHedged, isShareable = _body is null or { IsShareable: true };
        if (_content is { } former && (!isHedged || former.IsOver || !isShareable)) await WaitForAsync(former, context).ConfigureAwait(false);
        WatchedContent? content = _content = NewContent(token);
        AttemptMessage message = NewMessage(content, context);
        Uri? address = message.RequestUri;
        int strangers = _handler.Witness?.Strangers ?? 0;
        if (number == 0) HttpTelemetry.DescribeOperation(_request);
        else ResendCount.Set(number);

        // Said before: an attempt that is abandoned may never come to say it after. What is kept while it is sent takes it back.
        string? objection = ObjectionAfter(number, message, wasSent: true, bodyHasBegun: false);
        bool isForbidden = Forbid(context, objection ?? ObjectionToBody(isHedged), false);
        if (isForbidden && objection is null) _body!.Watch(context);
        using CancellationTokenRegistration registration = (content as AttemptContent)?.StopWith(token) ?? default;
        long start = Resilience.Time.GetTimestamp();
        _authority!.Touch(start);
        HttpResponseMessage? response = null;
        try
        {
            response = _isLongPoll && _options.LongPolls.Timeout is { } max ? await PollAsync(message, max, token).ConfigureAwait(false)
                : _isSynchronous ? _handler.SendAttempt(message, token) : await (_sent = _handler.SendAttemptAsync(message, token)).ConfigureAwait(false);
            response.RequestMessage ??= message;
            long from = _isLongPoll ? Resilience.Time.GetTimestamp() : _begun;
            await ResponseBody.ReadAsync(response, _request, Resilience, _overrides, context, from).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            bool wasSent = response is not null || !_handler.ProvesUnsent(message, content, address, strangers, error);
            response?.Dispose();
            if (!wasSent) context.ReportNotApplied();
            End(context, content, ObjectionAfter(number, message, wasSent, content is { HasBegun: true }), isForbidden);
            RecordFailure(number, start, null, NameOf(error, token));
            throw;
        }

        End(context, content, ObjectionAfter(number, message, wasSent: true, content is { HasBegun: true }), isForbidden);
        if ((int)response.StatusCode >= 400 || number > 0) Look(response, message, number, start);
        return response;
    }

    private void End(ResilienceContext context, WatchedContent? content, string? objection, bool wasForbidden)
    {
        _body?.Unwatch();
        content?.IsOver = true;
        Forbid(context, objection, wasForbidden);
    }

    private WatchedContent? NewContent(CancellationToken token) =>
        _body is not null ? _body.ForAttempt(_request.Content!, _callers, token) : MayHaveEmptyBody(_request.Method) ? new EmptyContent() : null;

    /// <summary>The methods for which SocketsHttpHandler writes <c>Content-Length: 0</c> where there is no content: there an empty content
    /// looks the same on the wire.</summary>
    private static bool MayHaveEmptyBody(HttpMethod method) => !(method == HttpMethod.Get || method == HttpMethod.Head || method == HttpMethod.Options
        || method == HttpMethod.Delete || method == HttpMethod.Connect || method == HttpMethod.Trace || method == HttpMethod.Query);

    private static bool Forbid(ResilienceContext context, string? objection, bool wasForbidden)
    {
        if (objection is not null) context.ForbidRetry(objection);
        else if (wasForbidden) context.AllowRetry();
        return objection is not null;
    }

    private string? ObjectionAfter(int number, HttpRequestMessage message, bool wasSent, bool bodyHasBegun)
    {
        if (_repeatObjection is not null && (wasSent || _isRepeatedAbove || _overrides is { IsRepeatable: false })) return _repeatObjection; // "never" is never
        if (_isSafeByKey && message.Options.TryGetValue(SafeRedirectHandler.HasLostKey, out bool hasLostKey) && hasLostKey)
            return "it was redirected to another origin, which did not get the key";
        if (_isSafeByKey && !HasKey(message, _options)) return "a handler below took its key off";
        if (bodyHasBegun && _body is { IsReplayable: false }) return OnlyOnce;
        return _overrides?.MaxRetries is { } max && number >= max ? "the caller allows no more retries" : null;
    }

    /// <summary>What stands against another attempt as long as this one is sending the content.</summary>
    private string? ObjectionToBody(bool isHedged) => _body switch
    {
        null => null,
        { IsReplayable: false } => OnlyOnce,
        { IsShareable: false } when isHedged => "its content cannot be sent by two attempts at once",
        _ => null,
    };

    /// <summary>The former attempt may still be reading the caller's content.</summary>
    private static async ValueTask WaitForAsync(WatchedContent former, ResilienceContext context)
    {
        Task drained = former.CloseAsync();
        if (!drained.IsCompleted) await context.WaitIfSynchronous(drained.WaitAsync(context.CancellationToken)).ConfigureAwait(false);
    }

    private AttemptMessage NewMessage(WatchedContent? content, ResilienceContext context)
    {
        bool isElsewhere = context.TryGet(HttpRequestOverrides.AttemptUri, out Uri? other) && other is { IsAbsoluteUri: true };
        Uri? atEndpoint = isElsewhere ? null : EndpointAddress.Of(_request.RequestUri, context);
        AttemptMessage message = new(_request.Method, isElsewhere ? other : atEndpoint ?? _request.RequestUri)
        {
            Version = _request.Version,
            VersionPolicy = _request.VersionPolicy,
            Content = content,
        };

        if (MessageParts.HeadersOf(_request) is { } headers) CopyTo(message.Headers, headers);
        if (atEndpoint is not null) message.Headers.Host ??= _request.RequestUri!.Authority;
        if (MessageParts.OptionsOf(_request) is ICollection<KeyValuePair<string, object?>> { Count: > 0 } options)
        {
            IDictionary<string, object?> copies = message.Options;
            foreach (KeyValuePair<string, object?> option in options) copies[option.Key] = option.Value;
        }

        if (_options.DeadlineHeader is { } deadline && context.RemainingTime is { } left)
        {
            message.Headers.Remove(deadline);
            message.Headers.TryAddWithoutValidation(deadline, ((long)left.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        RequestPropagation.Write(message, context, _options);
        return message;
    }

    private static void CopyTo(HttpRequestHeaders copies, HttpRequestHeaders headers)
    {
        foreach ((string name, HeaderStringValues values) in headers.NonValidated)
        {
            if (values.Count == 1) copies.TryAddWithoutValidation(name, values.ToString());
            else copies.TryAddWithoutValidation(name, (IEnumerable<string>)values);
        }

        if (headers.Protocol is { } protocol) copies.Protocol = protocol; // of WebSockets over HTTP/2; it is not among the others
    }

    /// <summary>A long poll has a time of its own. That it is up is no failure of the server, so it ends within the attempt, where that can be told.</summary>
    private async ValueTask<HttpResponseMessage> PollAsync(HttpRequestMessage message, TimeSpan max, CancellationToken token)
    {
        using CancellationTokenSource end = new(max, Resilience.Time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(end.Token, token);
        try
        {
            return _isSynchronous ? _handler.SendAttempt(message, either.Token) : await _handler.SendAttemptAsync(message, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException cut) when (end.IsCancellationRequested && !token.IsCancellationRequested)
        {
            throw new TimedOutException(HttpClassifier.LongPollPolicy, max, cut);
        }
    }

    /// <summary>An answer that is not good at once, or that came late.</summary>
    private void Look(HttpResponseMessage response, HttpRequestMessage message, int number, long start)
    {
        if ((int)response.StatusCode == 409) JudgeConflict(response, message, number);
        if (_options.HonorDoNotRetryFrom is { } honors && !RequestPropagation.IsHonored(message.RequestUri, honors))
            (response.RequestMessage ??= message).Options.Set(HttpClassifier.IsNotHonored, true);
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
        long end = Resilience.Time.GetTimestamp();
        TimeSpan elapsed = Resilience.Time.GetElapsedTime(start, end);
        Past? seen, next;
        do
        {
            seen = Volatile.Read(ref _past);
            TimeSpan delay = number == 0 || seen is null || start < seen.End ? TimeSpan.Zero : Resilience.Time.GetElapsedTime(seen.End, start);
            next = new([.. seen?.Attempts ?? [], new(number, status, error, delay, elapsed)], end);
        }
        while (Interlocked.CompareExchange(ref _past, next, seen) != seen);
    }

    private string NameOf(Exception error, CancellationToken token) => error switch
    {
        OperationCanceledException when token.IsCancellationRequested => _callers.IsCancellationRequested ? "cancelled" : "timeout",
        HttpRequestException { HttpRequestError: not HttpRequestError.Unknown } http => http.HttpRequestError.ToString(),
        _ => error.GetType().Name,
    };

    private HttpResponseMessage Finish(in Outcome<HttpResponseMessage> outcome, HttpAuthority authority)
    {
        if (!_isRepeatedAbove && outcome.Verdict == Verdict.Failure) Resilience.RetriesAbove.Failed(_request, _options.IdempotencyHeader);
        if (outcome.TryGetValue(out HttpResponseMessage? response))
        {
            if ((int)response.StatusCode >= 400 && HttpClassifier.SaysDoNotRetry(response)) RequestContext.Current?.GiveUpOn(response);
            // The one attempt of a call that was answered with, say, 404 tells nothing that the answer does not.
            if (History is not null && (History.Length > 1 || HttpClassifier.IsTransient(response.StatusCode))) HttpAttempts.Remember(response, History);
            return response;
        }

        Exception error = outcome.Exception!;
        if (error is ResilienceException or TimedOutException)
        {
            Exception translated = new HttpResilienceException(
                MessageOf(error, authority), error, (error as ResilienceException)?.Rejection, outcome.RetryAfter, History ?? []);
            error = translated;
        }

        if (History is not null) HttpAttempts.Remember(error, History);
        return Outcome.Failure<HttpResponseMessage>(error).GetValueOrThrow();
    }

    private string MessageOf(Exception error, HttpAuthority authority)
    {
        string history = History switch
        {
            null => "nothing was sent",
            [HttpAttempt only] => $"1 attempt: {only}",
            _ => $"{History.Length} attempts: {string.Join<HttpAttempt>("; ", History)}",
        };
        return $"{_request.Method} {authority.Name}: {SafeCalls.MessageOf(error)} ({history})";
    }

    /// <summary>What came of the attempts so far.</summary>
    /// <param name="Attempts">Those of a call of which one failed.</param>
    /// <param name="End">When the last one ended.</param>
    private sealed record Past(HttpAttempt[] Attempts, long End);
}

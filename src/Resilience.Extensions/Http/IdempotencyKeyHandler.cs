using System.Buffers.Text;
using Resilience.Extensibility;
using Resilience.Idempotency;

namespace Resilience.Http;

/// <summary>Gives each request one idempotency key, on the caller's own message. It stands outside the
/// <see cref="ResilienceHttpHandler"/>, so all attempts carry the same key.</summary>
/// <remarks>The same message keeps its key when it is sent again, and so does a copy that an outer retry makes of it, with its headers or its
/// options. An SDK that builds a new message for each try, from what it holds itself, gets a new key for each: switch its retry off.</remarks>
public sealed class IdempotencyKeyHandler : DelegatingHandler
{
    /// <summary>Travels with the options of a request, so that a copy which an outer retry makes without our header gets the same key.</summary>
    private static readonly HttpRequestOptionsKey<GivenKey> Given = new("Resilience.GivenKey");

    private readonly IdempotencyKeyOptions _options;

    /// <summary>A handler whose inner handler is set later.</summary>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public IdempotencyKeyHandler(IdempotencyKeyOptions? options = null)
    {
        _options = (options ?? new()).Copy();
        _options.ThrowIfInvalid();
    }

    /// <summary>A handler around another.</summary>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public IdempotencyKeyHandler(IdempotencyKeyOptions? options, HttpMessageHandler inner)
        : base(inner)
    {
        _options = (options ?? new()).Copy();
        _options.ThrowIfInvalid();
    }

    /// <summary>Looks for keys that are given below another library's retry; null: it would not be logged.</summary>
    internal KeysOfOneCall? Watch { get; init; }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The key that the caller set, or that was generated, cannot be one.</exception>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        GiveKey(request) is { } key && Watch is not null && KeysOfOneCall.CallOf(request) is { } call
            ? SendWatchedAsync(request, call, key, cancellationToken)
            : base.SendAsync(request, cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The key that the caller set, or that was generated, cannot be one.</exception>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        GiveKey(request);
        return base.Send(request, cancellationToken);
    }

    private async Task<HttpResponseMessage> SendWatchedAsync(HttpRequestMessage request, string call, string key, CancellationToken cancellationToken)
    {
        Watch!.Sends(call, key);
        bool mayBeRepeated = true;
        try
        {
            HttpResponseMessage response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
            mayBeRepeated = response.StatusCode == System.Net.HttpStatusCode.Conflict || HttpClassifier.IsTransient(response.StatusCode);
            return response;
        }
        finally
        {
            if (mayBeRepeated) Watch.Failed(call, key);
        }
    }

    /// <returns>The key that the request was given; null when it has its own, or none.</returns>
    private string? GiveKey(HttpRequestMessage request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Headers.NonValidated.TryGetValues(_options.HeaderName, out System.Net.Http.Headers.HeaderStringValues own))
        {
            if (own.Count != 1) throw new ArgumentException($"The request has {own.Count} values of {_options.HeaderName}; an operation has one key.");
            if (!IdempotencyKeyText.IsSent(own.ToString())) throw NoKey("The request's", own.ToString());
            return null;
        }

        if (!_options.Methods.Contains(request.Method) || GrpcRequests.IsOne(request)) return null; // below the retry of gRPC each attempt would get another
        if (_options.Hosts.Count > 0 && !(request.RequestUri is { IsAbsoluteUri: true } uri && _options.Hosts.Contains(uri.Host))) return null;
        if (request.Options.TryGetValue(Given, out GivenKey? given) && given.IsOf(request, _options.HeaderName))
        {
            request.Headers.TryAddWithoutValidation(_options.HeaderName, given.Value);
            return null;
        }

        if (NewKey(request) is not { } key) return null;
        if (!IdempotencyKeyText.IsKey(key)) throw NoKey("The generated", key);
        string value = _options.IsQuoted || !IdempotencyKeyText.IsBare(key) ? IdempotencyKeyText.Quoted(key) : key;
        request.Headers.TryAddWithoutValidation(_options.HeaderName, value);
        request.Options.Set(Given, new(_options.HeaderName, value, request.Method, request.RequestUri));
        return key;
    }

    private string? NewKey(HttpRequestMessage request)
    {
        if (_options.FromInbound?.Invoke(request) is { } inbound) return Derive(inbound, request);
        return _options.Generate is { } generate ? generate(request) : Guid.NewGuid().ToString("D");
    }

    /// <summary>From the inbound key and its scope: the same key of two callers is two keys. Not the inbound key itself: two calls of ours would share
    /// it, and anyone who sees ours would know our caller's.</summary>
    private static string Derive(IdempotencyKey inbound, HttpRequestMessage request)
    {
        string? operation = request.Options.TryGetValue(HttpRequestOverrides.Key, out HttpRequestOverrides? overrides) ? overrides.Operation : null;
        string? address = request.RequestUri is { IsAbsoluteUri: true } uri
            ? uri.GetComponents(UriComponents.HttpRequestUrl, UriFormat.UriEscaped)
            : request.RequestUri?.OriginalString;
        return Base64Url.EncodeToString(Fingerprint.Of(inbound.ToId().ToHex(), request.Method.Method, address, operation).ToArray());
    }

    private ArgumentException NoKey(string whose, string key) => new(
        $"{whose} {_options.HeaderName} cannot be a key: it must be 1 to {IdempotencyKey.MaxLength} visible ASCII characters and blanks, in quotes if there is "
        + $"a blank, a quote, a backslash, a comma or a semicolon among them, and has {key.Length} characters.");

    /// <summary>A key, and what it was given to: a copy for another method or address is another operation.</summary>
    private sealed record GivenKey(string Header, string Value, HttpMethod Method, Uri? Address)
    {
        internal bool IsOf(HttpRequestMessage request, string header) => Header == header && Method == request.Method && Address == request.RequestUri;
    }
}

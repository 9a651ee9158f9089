using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Resilience;

/// <summary>Gives each request one idempotency key, on the caller's own message. It stands outside the
/// <see cref="ResilienceHttpHandler"/>, so all attempts carry the same key.</summary>
public sealed class IdempotencyKeyHandler : DelegatingHandler
{
    private const int Longest = 255;

    private readonly IdempotencyKeyOptions _options;

    /// <summary>A handler whose inner handler is set later.</summary>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public IdempotencyKeyHandler(IdempotencyKeyOptions? options = null)
    {
        _options = options ?? new();
        _options.ThrowIfInvalid();
    }

    /// <summary>A handler around another.</summary>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public IdempotencyKeyHandler(IdempotencyKeyOptions? options, HttpMessageHandler inner)
        : base(inner)
    {
        _options = options ?? new();
        _options.ThrowIfInvalid();
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The key that the caller set, or that was generated, cannot be one.</exception>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        GiveKey(request);
        return base.SendAsync(request, cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The key that the caller set, or that was generated, cannot be one.</exception>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        GiveKey(request);
        return base.Send(request, cancellationToken);
    }

    private void GiveKey(HttpRequestMessage request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Headers.NonValidated.TryGetValues(_options.HeaderName, out System.Net.Http.Headers.HeaderStringValues own))
        {
            if (own.Count != 1) throw new ArgumentException($"The request has {own.Count} values of {_options.HeaderName}; a deed has one key.");
            Check(own.ToString(), "The request's");
            return;
        }

        if (!_options.Methods.Contains(request.Method)) return;
        if (_options.Hosts.Count > 0 && !(request.RequestUri is { IsAbsoluteUri: true } uri && _options.Hosts.Contains(uri.Host))) return;
        if (NewKey(request) is not { } key) return;
        Check(key, "The generated");
        request.Headers.TryAddWithoutValidation(_options.HeaderName, _options.IsQuoted ? Quote(key) : key);
    }

    private string? NewKey(HttpRequestMessage request)
    {
        if (_options.FromInbound?.Invoke(request) is { Length: > 0 } inbound) return Derive(inbound, request);
        return _options.Generate is { } generate ? generate(request) : Guid.NewGuid().ToString("D");
    }

    /// <summary>Not the inbound key itself: two deeds of ours would share it, and whoever sees ours would know our caller's.</summary>
    private static string Derive(string inbound, HttpRequestMessage request)
    {
        string? operation = request.Options.TryGetValue(HttpRequestOverrides.Key, out HttpRequestOverrides? overrides) ? overrides.Operation : null;
        string deed = $"{inbound}\n{request.Method}\n{request.RequestUri}\n{operation}";
        return Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(deed)));
    }

    private static string Quote(string key) =>
        $"\"{key.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    private void Check(string key, string whose)
    {
        if (key.Length is >= 1 and <= Longest && key.All(c => c is > ' ' and < '\x7f')) return;
        throw new ArgumentException(
            $"{whose} {_options.HeaderName} cannot be a key: it must be 1 to {Longest} visible ASCII characters, and has {key.Length} characters.");
    }
}

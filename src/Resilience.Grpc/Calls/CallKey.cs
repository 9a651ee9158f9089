using System.Buffers.Text;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>Gives a call its key, before its first attempt.</summary>
internal static class CallKey
{
    /// <summary>The call with a key in its metadata; the caller's metadata, and a key in it, stay as they are.</summary>
    /// <exception cref="ArgumentException">What was generated cannot be a key.</exception>
    internal static ClientInterceptorContext<TRequest, TResponse> Given<TRequest, TResponse>(
        GrpcClientOptions options, in ClientInterceptorContext<TRequest, TResponse> given)
        where TRequest : class
        where TResponse : class
    {
        if (given.Options.Headers?.Get(options.IdempotencyHeader) is not null || NewKey(options, given.Method) is not { } key) return given;
        if (!IsKey(key)) throw NoKey(options.IdempotencyHeader, key);
        Metadata headers = [];
        foreach (Metadata.Entry entry in given.Options.Headers ?? []) headers.Add(entry);
        headers.Add(options.IdempotencyHeader, key);
        return new(given.Method, given.Host, given.Options.WithHeaders(headers));
    }

    internal static string? NewKey(GrpcClientOptions options, IMethod method)
    {
        // Not the inbound key itself: two calls of ours would share it, and anyone who sees ours would know our caller's.
        if (options.FromInbound?.Invoke(method) is { } inbound)
            return Base64Url.EncodeToString(Fingerprint.Of(inbound.ToId().ToHex(), method.FullName).ToArray());
        return options.GenerateKey is { } generate ? generate(method) : Guid.NewGuid().ToString("D");
    }

    private static bool IsKey(string key) =>
        key.Length is >= 1 and <= IdempotencyKey.MaxLength && !key.AsSpan().ContainsAnyExceptInRange('!', '~') && !key.AsSpan().ContainsAny("\"\\,;");

    private static ArgumentException NoKey(string header, string key) => new(
        $"The generated {header} cannot be a key: it must be 1 to {IdempotencyKey.MaxLength} visible ASCII characters, without quotes, backslashes, commas and "
        + $"semicolons, and has {key.Length} characters.");
}

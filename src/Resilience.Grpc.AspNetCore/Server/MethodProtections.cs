using System.Collections.Concurrent;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Resilience.Extensibility;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>Finds which methods are protected, and how. Thread-safe.</summary>
internal sealed class MethodProtections(IServiceProvider services)
{
    internal const string NotRegistered = "No idempotency is registered: call builder.Services.AddIdempotency().";

    internal const string MustBeUnary = "a unary method: a stream has no one answer that could be kept";

    private readonly ConcurrentDictionary<string, MethodProtection?> _known = new(StringComparer.Ordinal);

    /// <summary>Null: the method is not protected.</summary>
    /// <exception cref="RpcException">It is, and cannot be: a mistake of the service.</exception>
    internal MethodProtection? Of(Endpoint endpoint, GrpcMethodMetadata mapped, HttpContext http)
    {
        IMethod method = mapped.Method;
        if (_known.TryGetValue(method.FullName, out MethodProtection? known)) return known;
        try
        {
            MethodProtection? made = OptionsOf(services, endpoint, mapped) is { } options ? Make(options, method) : null;
            return _known.GetOrAdd(method.FullName, made);
        }
        catch (Exception mistake) when (mistake is InvalidOperationException or ResilienceOptionsException)
        {
            throw GrpcProblems.Misconfigured(http, SafeCalls.MessageOf(mistake));
        }
    }

    /// <summary>The options of a method that requires a key; null: it does not.</summary>
    /// <exception cref="ResilienceOptionsException">They are out of range.</exception>
    internal static GrpcIdempotencyOptions? OptionsOf(IServiceProvider services, Endpoint endpoint, GrpcMethodMetadata mapped)
    {
        GrpcIdempotencyOptions common = CommonOf(services);
        if (!IsMeant(endpoint, mapped, common)) return null;
        if (endpoint.Metadata.GetMetadata<RequireIdempotencyKeyAttribute>() is { } attribute) return common.With(attribute);
        common.ThrowIfInvalid();
        return common;
    }

    /// <summary>What is said of a whole service is said of its unary methods; a stream that is named by itself is a mistake, which is found.</summary>
    private static bool IsMeant(Endpoint endpoint, GrpcMethodMetadata mapped, GrpcIdempotencyOptions common)
    {
        int attributes = endpoint.Metadata.GetOrderedMetadata<RequireIdempotencyKeyAttribute>().Count;
        if (mapped.Method.Type == MethodType.Unary) return attributes > 0 || common.NameOf(mapped.Method) is not null;
        int ofService = mapped.ServiceType.IsDefined(typeof(RequireIdempotencyKeyAttribute), inherit: true) ? 1 : 0;
        return attributes > ofService || common.Methods.Contains(mapped.Method.FullName);
    }

    internal static GrpcIdempotencyOptions CommonOf(IServiceProvider services) =>
        (services.GetService<IOptions<GrpcIdempotencyOptions>>()?.Value ?? new()).Copy();

    private MethodProtection Make(GrpcIdempotencyOptions options, IMethod method)
    {
        IdempotencyGates gates = services.GetService<IdempotencyGates>() ?? throw new InvalidOperationException(NotRegistered);
        PayloadCipher? cipher = !options.EncryptsResponses ? null : new(
            services.GetService<IDataProtectionProvider>()
            ?? throw new InvalidOperationException("Answers are to be encrypted, and there is no data protection: call builder.Services.AddDataProtection()."));
        return new(method, gates.Get(options.Gate).For(options.Terms), options, cipher, services.GetRequiredService<CallerQuotas>().Of(options.Gate));
    }
}

/// <summary>How one method is protected.</summary>
/// <param name="Method">As it was mapped, with what writes and reads its messages.</param>
/// <param name="Gate">What is asked.</param>
/// <param name="Options">Checked, and no one else's.</param>
/// <param name="Cipher">Null: answers are stored in the clear.</param>
/// <param name="Quota">What one caller may take.</param>
internal sealed record MethodProtection(IMethod Method, IdempotencyGate Gate, GrpcIdempotencyOptions Options, PayloadCipher? Cipher, CallerQuota Quota)
{
    /// <summary>How many keys of one caller are kept; null: any number.</summary>
    internal int? MaxKeys => KeyedOptions.MaxKeys(Options, Gate);
}

using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Finds options and metadata.</summary>
internal static class IdempotencyEndpoints
{
    internal static IdempotencyEndpointOptions OptionsOf(IServiceProvider services)
    {
        IdempotencyEndpointOptions options = (services.GetService<IOptions<IdempotencyEndpointOptions>>()?.Value ?? new()).Copy();
        options.ThrowIfInvalid();
        return options;
    }

    internal const string NotRegistered = "No idempotency is registered: call builder.Services.AddIdempotency().";

    /// <summary>The protection of one endpoint.</summary>
    /// <exception cref="InvalidOperationException">No idempotency is registered, or no gate of the name that the endpoint asks for.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    internal static IdempotencyEndpointFilter ProtectionOf(IServiceProvider services, IIdempotencyKeyMetadata? endpoint)
    {
        IdempotencyEndpointOptions options = OptionsOf(endpoint, OptionsOf(services));
        IdempotencyGates gates = services.GetService<IdempotencyGates>() ?? throw new InvalidOperationException(NotRegistered);
        CallerQuota quota = services.GetRequiredService<CallerQuotas>().Of(options.Gate);
        IdempotencyGate gate = gates.Get(options.Gate);
        if (options.TransactionOf is { } on && !(gate.HasTransactions && KnowsTransactionsOf(on, services)))
        {
            throw new InvalidOperationException(
                $"InTransactionOf<{on.Name}>() needs a store that takes part in transactions of {on.Name}, and '{gate.Store.Traits.Name}' does not: "
                + $"call UseEntityFrameworkCore<{on.Name}>() for its gate.");
        }

        return new(gate.For(options.Terms), options, options.EncryptsResponses ? CipherOf(services) : null, quota);
    }

    /// <summary>Whether a package has said how transactions on objects of this type are begun.</summary>
    internal static bool KnowsTransactionsOf(Type type, IServiceProvider services) =>
        services.GetService<IServiceProviderIsKeyedService>()?.IsKeyedService(typeof(ITransactionalScopeFactory), type) == true;

    private static PayloadCipher CipherOf(IServiceProvider services) => new(
        services.GetService<IDataProtectionProvider>()
        ?? throw new InvalidOperationException("Responses are to be encrypted, and there is no data protection: call builder.Services.AddDataProtection()."));

    /// <summary>Protects a request, or answers that the service made a mistake.</summary>
    internal static Task InvokeAsync(HttpContext context, Func<IdempotencyEndpointFilter> find, Func<HttpContext, Task> next)
    {
        IdempotencyEndpointFilter protection;
        try
        {
            protection = find();
        }
        catch (Exception mistake) when (mistake is InvalidOperationException or ResilienceOptionsException)
        {
            return IdempotencyProblems.MisconfiguredAsync(context, new(), SafeCalls.MessageOf(mistake));
        }

        return protection.InvokeAsync(context, next);
    }

    /// <summary>The options of one endpoint: its own, or those of the application, with what an attribute says of them.</summary>
    /// <exception cref="ResilienceOptionsException">Options of the endpoint's own are out of range.</exception>
    internal static IdempotencyEndpointOptions OptionsOf(IIdempotencyKeyMetadata? endpoint, IdempotencyEndpointOptions common)
    {
        if (endpoint?.Options is { } given)
        {
            IdempotencyEndpointOptions own = given.Copy();
            own.ThrowIfInvalid();
            return own;
        }

        return endpoint is RequireIdempotencyKeyAttribute attribute ? attribute.Change(common) : common;
    }

    /// <summary>What <c>RequireIdempotencyKey()</c> says; the options are made when they are asked for, when the application stands.</summary>
    internal sealed class Metadata(IServiceProvider services, Action<IdempotencyEndpointOptions>? configure) : IIdempotencyKeyMetadata
    {
        private readonly Lazy<IdempotencyEndpointOptions> _options = new(() =>
        {
            IdempotencyEndpointOptions options = OptionsOf(services);
            configure?.Invoke(options);
            options = options.Copy();
            options.ThrowIfInvalid();
            return options;
        });

        public IdempotencyEndpointOptions Options => _options.Value;
    }
}

using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Filters;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Requests to this action, or to all actions of this controller, are executed once for each idempotency key; a repeated one receives
/// the first response. GET, HEAD, OPTIONS and TRACE are left alone.</summary>
/// <remarks>The attribute of an action goes before that of its controller. A resource filter: it stands before model binding, after
/// authorization. Needs <c>services.AddIdempotency()</c>. On a gRPC service or a method of one it needs <c>services.AddGrpc().AddIdempotency()</c>, of the
/// package Resilience.Grpc.AspNetCore, as well.</remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class RequireIdempotencyKeyAttribute : Attribute, IIdempotencyKeyMetadata, IAsyncResourceFilter, IAsyncActionFilter, IOrderedFilter
{
    /// <summary>Whether a request without a key is rejected. Default true.</summary>
    public bool IsRequired { get; set; } = true;

    /// <summary>The gate that is asked: the name that <c>AddIdempotency("…")</c> was given. Default null: that of the application's options.</summary>
    public string? Gate { get; set; }

    /// <summary>How long a claim lasts without a sign of life, in seconds: 0.05 to an hour. Default 0: as the application's options and the
    /// gate have it.</summary>
    public double LeaseSeconds { get; set; }

    /// <summary>How long a response is kept, in seconds: from the lease to ten years. Default 0: as the application's options and the gate have it.</summary>
    public double RetentionSeconds { get; set; }

    /// <summary>How long a duplicate waits while the first is under way, in seconds: to an hour; 0: it is rejected at once. Default -1: as the
    /// application's options and the gate have it.</summary>
    public double MaxWaitSeconds { get; set; } = -1;

    /// <summary>How often a request may be begun when earlier executions crashed, from 1. Default 0: as the application's options and the gate
    /// have it.</summary>
    public int MaxAttempts { get; set; }

    /// <summary>The type of the context in whose transaction rows and response are committed together
    /// (<see cref="IdempotencyEndpointOptions.InTransactionOf{TContext}"/>). Default null: as the application's options have it. Not for methods of gRPC.
    /// </summary>
    public Type? InTransactionOf { get; set; }

    /// <inheritdoc/>
    public int Order => int.MinValue;

    /// <inheritdoc/>
    IdempotencyEndpointOptions? IIdempotencyKeyMetadata.Options => null;

    /// <inheritdoc/>
    public async Task OnResourceExecutionAsync(ResourceExecutingContext context, ResourceExecutionDelegate next)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(next);

        // The one that stands nearest to the action speaks, also where the controller has another.
        IIdempotencyKeyMetadata nearest = context.ActionDescriptor.EndpointMetadata.OfType<IIdempotencyKeyMetadata>().LastOrDefault() ?? this;
        bool hasRun = false;
        await IdempotencyEndpoints.InvokeAsync(context.HttpContext, Find, async _ =>
        {
            hasRun = true;
            ResourceExecutedContext executed = await next().ConfigureAwait(false);

            // The framework hands exceptions on as data here; to us they must look as they do everywhere.
            if (executed is { Exception: not null, ExceptionHandled: false })
            {
                executed.ExceptionHandled = true;
                executed.ExceptionDispatchInfo!.Throw();
            }
        }).ConfigureAwait(false);
        if (!hasRun) context.Result = new EmptyResult();

        IdempotencyEndpointFilter Find() => IdempotencyEndpoints.ProtectionOf(context.HttpContext.RequestServices, nearest);
    }

    /// <inheritdoc/>
    /// <remarks>Notes whether the action runs: a request that was rejected before (its parameters could not be bound) does not use its key up.</remarks>
    public async Task OnActionExecutionAsync(ActionExecutingContext context, ActionExecutionDelegate next)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(next);
        bool wasRejected = false;
        try
        {
            wasRejected = (await next().ConfigureAwait(false)).Canceled;
        }
        finally
        {
            if (!wasRejected) BeginningWatch.Begin(context.HttpContext);
        }
    }

    /// <summary>The application's options with what this says of them.</summary>
    /// <exception cref="ResilienceOptionsException">What it says is out of range.</exception>
    internal IdempotencyEndpointOptions Change(IdempotencyEndpointOptions common)
    {
        IdempotencyEndpointOptions changed = common.Copy();
        KeyedOptions.Take(changed, this);
        changed.TransactionOf = InTransactionOf ?? changed.TransactionOf;
        changed.ThrowIfInvalid();
        return changed;
    }
}

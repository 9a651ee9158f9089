using System.Globalization;
using System.Threading.RateLimiting;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a call passes a rate limiter: take a lease, go on, give it back whatever happened.</summary>
/// <remarks>
/// Rejecting is data, as everywhere. A limiter that throws (because it was disposed of) ends the call as
/// <see cref="Verdict.Ignored"/>: an error of the program, which says nothing about the dependency and is not repeated.
/// </remarks>
internal sealed class RateLimiterPolicy : ResiliencePolicy, IPolicyStatus
{
    private readonly Leases _leases;
    private readonly RateLimiterOptions _options;
    private readonly PolicyEnvironment _environment;
    private readonly RateLimiterTelemetry _telemetry;
    private readonly TimeProvider _time;

    internal RateLimiterPolicy(Leases leases, RateLimiterOptions options, PolicyEnvironment environment)
    {
        _leases = leases;
        _options = options;
        _environment = environment;
        _telemetry = new(environment);
        _time = SafeCalls.Time(environment.TimeProvider);
    }

    public override object State => _leases.Limiter;

    /// <summary>The state is a limiter of the framework, which cannot say how it is in our words.</summary>
    PolicyStatus IPolicyStatus.GetStatus()
    {
        if (_leases.Statistics is not { } now) return new(PolicyCondition.Ok, "the limiter shows no numbers");
        string text = string.Create(
            CultureInfo.InvariantCulture,
            $"{now.CurrentAvailablePermits} permits left · {now.CurrentQueuedCount} queued · {now.TotalFailedLeases} rejected in all");
        return new(PolicyCondition.Ok, text)
        {
            Readings =
            [
                new("available", now.CurrentAvailablePermits, "permits"), new("queued", now.CurrentQueuedCount, "permits"),
                new("granted", now.TotalSuccessfulLeases, "calls"), new("rejected", now.TotalFailedLeases, "calls"),
            ],
        };
    }

    public override PolicyDescription Describe() => new(_environment.PolicyName, PolicyRole.RateLimit)
    {
        Options =
        [
            new("limiter", _leases.Limiter.GetType().Name),
            new("permits", _options.Permits.ToString(CultureInfo.InvariantCulture)),
            new("queue", _options.MayQueue ? "as the limiter has it" : "no"),
        ],
    };

    protected override PolicyLink<T> Bind<T>(PolicyLink<T> next)
    {
        ArgumentNullException.ThrowIfNull(next);
        return new Link<T>(this, next);
    }

    private RateLimitRejection Reject(RateLimitLease lease, ResilienceContext context)
    {
        RateLimitRejection rejection = Read(lease);
        if (_environment.IsObserved(RateLimitReached.Metric))
            _environment.Report(new RateLimitReached(_environment.PipelineName, _environment.PolicyName, rejection) { Operation = context.Operation });

        return rejection;
    }

    private async ValueTask<RateLimitLease> WaitAsync(ValueTask<RateLimitLease> taking)
    {
        bool isMeasured = _telemetry.MeasuresWaits;
        long start = isMeasured ? _time.GetTimestamp() : 0;
        try
        {
            return await taking.ConfigureAwait(false);
        }
        finally
        {
            if (isMeasured) _telemetry.Waited(_time.GetElapsedTime(start));
        }
    }

    /// <summary>A lease may be of any origin: when it cannot say why, the rejection stands all the same.</summary>
    private RateLimitRejection Read(RateLimitLease lease)
    {
        try
        {
            TimeSpan? retryAfter = lease.TryGetMetadata(MetadataName.RetryAfter, out TimeSpan wait) && wait >= TimeSpan.Zero ? wait : null;
            lease.TryGetMetadata(MetadataName.ReasonPhrase, out string? said);
            return new(_environment, _options.Permits, retryAfter, said);
        }
        catch (Exception)
        {
            return new(_environment, _options.Permits, null, null);
        }
    }

    private sealed class Link<T>(RateLimiterPolicy policy, PolicyLink<T> next) : PolicyLink<T>
    {
        public override async ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            RateLimitLease lease;
            bool waited;
            CancellationToken token;
            try
            {
                token = context.CancellationToken;
                ValueTask<RateLimitLease> taking = policy._leases.TakeAsync(context, policy._options);
                waited = !taking.IsCompletedSuccessfully;
                lease = waited ? await context.WaitIfSynchronous(policy.WaitAsync(taking)).ConfigureAwait(false) : taking.Result;
            }
            catch (Exception error) // the caller's cancellation while it waited, or a limiter that is no more
            {
                return Outcome.Failure<T>(error, Verdict.Ignored);
            }

            // Let in at the moment at which it was cancelled: it is not wanted any more.
            if (waited && lease.IsAcquired && token.IsCancellationRequested)
            {
                Leases.GiveBack(lease);
                return Outcome.Failure<T>(new OperationCanceledException(token), Verdict.Ignored);
            }

            Outcome<T> outcome = lease.IsAcquired
                ? await next.ExecuteAsync(context).ConfigureAwait(false)
                : Outcome.Rejected<T>(policy.Reject(lease, context));
            if (!outcome.HasResult || !IsKept(lease, context)) Leases.GiveBack(lease);
            return outcome;
        }

        /// <summary>Whether a result that is still in use has it.</summary>
        private static bool IsKept(RateLimitLease lease, ResilienceContext context)
        {
            try
            {
                return context.TryGet(PlaceHold.Property, out PlaceHold? hold) && hold.TryAdd(() => Leases.GiveBack(lease));
            }
            catch (ObjectDisposedException)
            {
                return false; // a policy around did not wait: the call has ended, and its result is not used
            }
        }
    }
}

using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Resilience.Idempotency;

namespace Resilience;

/// <summary>Asks the stores of the gates with <c>CheckStoreAtStart</c>, before the host starts anything else.</summary>
/// <remarks>A mistake stops the host: it would not pass. An outage does not, unless the store must answer: callers are told 503 until it is over, and
/// a host that does not start would not be there then.</remarks>
internal sealed class IdempotencyStoreChecks(IdempotencyRegistrations registered, IdempotencyGates gates, IServiceProvider services)
{
    /// <summary>How long a store that must answer is asked again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>How long any other one: a client that is still connecting does not know yet that it will be shut out.</summary>
    private static readonly TimeSpan MinPatience = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        // What is wrong with the registrations is told by the check that knows all of it.
        IdempotencyRegistration[] checkedAtStart = [.. registered.All.Where(r => r.StartCheck != IdempotencyStartCheck.None)];
        if (checkedAtStart.Length == 0 || gates.FindProblems().Count > 0) return;
        List<IdempotencyStoreException> failures = [];
        foreach (IdempotencyRegistration gate in checkedAtStart)
        {
            if (await FindFailureAsync(gate, cancellationToken).ConfigureAwait(false) is { } failure) failures.Add(failure);
        }

        if (failures.Count == 1) throw failures[0];
        if (failures.Count == 0) return;
        throw new IdempotencyStoreException(
            failures.Max(f => f.Fault), string.Join(Environment.NewLine, failures.Select(SafeCalls.MessageOf)), new AggregateException(failures));
    }

    /// <summary>Why the host must not start; null when it may.</summary>
    private async Task<IdempotencyStoreException?> FindFailureAsync(IdempotencyRegistration gate, CancellationToken cancellationToken)
    {
        ILogger log = ContainerSetup.Logger(services);
        TimeProvider time = services.GetService<TimeProvider>() ?? TimeProvider.System;
        long start = time.GetTimestamp();
        while (true)
        {
            try
            {
                foreach (string finding in await gates.Get(gate.Name).CheckStoreAsync(cancellationToken).ConfigureAwait(false))
                    ResilienceLog.StoreFinding(log, gate.Title, finding);
                return null;
            }
            catch (IdempotencyStoreException outage) when (outage.IsTransient || outage.Fault == IdempotencyStoreFault.Full)
            {
                bool mustAnswer = gate.StartCheck == IdempotencyStartCheck.MustAnswer;
                if (time.GetElapsedTime(start) < (mustAnswer ? Patience : MinPatience))
                {
                    await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
                    continue;
                }

                if (mustAnswer) return Named(gate, outage);
                ResilienceLog.StoreUnavailableAtStart(log, outage, gate.Title);
                return null;
            }
            catch (IdempotencyStoreException mistake)
            {
                return Named(gate, mistake);
            }
        }
    }

    private static IdempotencyStoreException Named(IdempotencyRegistration gate, IdempotencyStoreException failure) =>
        new(failure.Fault, $"{gate.Title}: {SafeCalls.MessageOf(failure)}", failure);
}

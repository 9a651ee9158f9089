using Resilience.Http;

namespace Resilience.Events;

/// <summary>What the pipelines of a container do, told to those who come and go while it runs: a page with viewers, a
/// diagnosis for five minutes. Made by <c>AddResilience</c>. Thread-safe.</summary>
/// <remarks>While there is no listener no events of single calls are made for it.</remarks>
public sealed class ResilienceEvents
{
    private Subscription[] _subscriptions = [];

    /// <summary>Hears everything that the policies of all pipelines do, those of HttpClients included, until the subscription is disposed of.</summary>
    /// <param name="listener">Runs on the thread of the call, so keep it short; what it throws is counted and swallowed.</param>
    /// <exception cref="ArgumentNullException"><paramref name="listener"/> is null.</exception>
    public IDisposable Subscribe(Action<ResilienceEvent> listener)
    {
        ArgumentNullException.ThrowIfNull(listener);
        return Add(new(this, listener, ObservesCalls: true));
    }

    /// <summary>Hears changes of state only (<see cref="ResilienceEvent.GetNewState"/>): of circuits, of chaos, of policies of your own. They are rare,
    /// and made with or without a listener: this costs calls nothing.</summary>
    /// <inheritdoc cref="Subscribe"/>
    public IDisposable SubscribeToStateChanges(Action<ResilienceEvent> listener)
    {
        ArgumentNullException.ThrowIfNull(listener);
        return Add(new(this, happened => Forward(happened, listener), ObservesCalls: false));
    }

    /// <summary>Hears what is made in any case: changes of state, and events of single calls that something else wants, such as a listener of the counter
    /// that counts them (<see cref="ResilienceEvent.GetMetric"/>). Makes none, so it costs calls nothing where nothing happens; such an event may lack its
    /// long explanation.</summary>
    /// <inheritdoc cref="Subscribe"/>
    public IDisposable SubscribePassively(Action<ResilienceEvent> listener)
    {
        ArgumentNullException.ThrowIfNull(listener);
        return Add(new(this, listener, ObservesCalls: false));
    }

    /// <summary>True while there is a listener for the events of single calls.</summary>
    internal bool ObservesCalls
    {
        get
        {
            foreach (Subscription one in Volatile.Read(ref _subscriptions)) // acquire: an array is never changed after it was published
            {
                if (one.ObservesCalls) return true;
            }

            return false;
        }
    }

    internal void Publish(ResilienceEvent happened)
    {
        foreach (Subscription one in Volatile.Read(ref _subscriptions)) // acquire: as above
        {
            try
            {
                one.Hear(happened);
            }
            catch (Exception error)
            {
                HttpTelemetry.CallbackFailed("event subscriber", error);
            }
        }
    }

    private static void Forward(ResilienceEvent happened, Action<ResilienceEvent> listener)
    {
        if (happened.GetNewState() is not null) listener(happened);
    }

    private Subscription Add(Subscription one)
    {
        Change(static (all, added) => [.. all, added], one);
        return one;
    }

    private void Change(Func<Subscription[], Subscription, Subscription[]> rule, Subscription one)
    {
        while (true)
        {
            Subscription[] seen = Volatile.Read(ref _subscriptions);

            // Full fence: publishes the new array whole; pairs with the reads above.
            if (Interlocked.CompareExchange(ref _subscriptions, rule(seen, one), seen) == seen) return;
        }
    }

    private sealed record Subscription(ResilienceEvents Owner, Action<ResilienceEvent> Hear, bool ObservesCalls) : IDisposable
    {
        public bool Equals(Subscription? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

        public void Dispose() => Owner.Change(static (all, gone) => [.. all.Where(one => !ReferenceEquals(one, gone))], this);
    }
}

namespace Resilience;

/// <summary>A user's source of time that cannot break a call: what it throws is counted, and there is an answer all the same.</summary>
/// <remarks>Policies take time from nowhere else (<see cref="Clock.Time"/>); what users see is their own provider. When it throws, a timestamp
/// is the last one that it gave (time stands still), and the time of day and timers are the system's: so every wait ends.</remarks>
internal sealed class SafeTime : TimeProvider
{
    private const string Provider = "time provider";

    private readonly TimeProvider _users;
    private long _last;

    internal SafeTime(TimeProvider users)
    {
        _users = users;
        TimestampFrequency = Safely.Ask(Provider, static t => t.TimestampFrequency, users, 0);
        if (TimestampFrequency <= 0) TimestampFrequency = System.TimestampFrequency;
    }

    /// <inheritdoc/>
    public override long TimestampFrequency { get; }

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => Safely.Ask(Provider, static t => t.LocalTimeZone, _users, TimeZoneInfo.Utc);

    /// <inheritdoc/>
    public override long GetTimestamp()
    {
        try
        {
            long now = _users.GetTimestamp();
            Volatile.Write(ref _last, now); // for the case that it throws; the last of two threads is good enough
            return now;
        }
        catch (Exception error)
        {
            Safely.Report(Provider, error);
            return Volatile.Read(ref _last);
        }
    }

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow()
    {
        try
        {
            return _users.GetUtcNow();
        }
        catch (Exception error)
        {
            Safely.Report(Provider, error);
            return System.GetUtcNow();
        }
    }

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        try
        {
            if (_users.CreateTimer(callback, state, dueTime, period) is { } timer) return new Timer(timer);
            Safely.Report(Provider, new InvalidOperationException("CreateTimer returned null."));
        }
        catch (Exception error)
        {
            Safely.Report(Provider, error);
        }

        return System.CreateTimer(callback, state, dueTime, period);
    }

    private sealed class Timer(ITimer users) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) =>
            Safely.Ask(Provider, static ask => ask.users.Change(ask.dueTime, ask.period), (users, dueTime, period), false);

        public void Dispose() => Safely.Dispose(users);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}

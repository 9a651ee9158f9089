namespace Resilience;

/// <summary>A user's source of time that cannot break a call: when it throws, a timestamp is the last one that it gave, and the time of day and timers
/// are the system's. Errors are counted.</summary>
internal sealed class GuardedTime : TimeProvider
{
    private const string Provider = "time provider";

    private readonly TimeProvider _users;
    private long _last;

    internal GuardedTime(TimeProvider users)
    {
        _users = users;
        TimestampFrequency = Ask(static t => t.TimestampFrequency, 0);
        if (TimestampFrequency <= 0) TimestampFrequency = System.TimestampFrequency;
    }

    public override long TimestampFrequency { get; }

    public override TimeZoneInfo LocalTimeZone => Ask(static t => t.LocalTimeZone, TimeZoneInfo.Utc);

    public override long GetTimestamp()
    {
        long now = Ask(static t => t.GetTimestamp(), Volatile.Read(ref _last));
        Volatile.Write(ref _last, now); // for the case that it throws; the last of two threads is good enough
        return now;
    }

    public override DateTimeOffset GetUtcNow() => Ask(static t => t.GetUtcNow(), DateTimeOffset.MinValue) is var now && now != DateTimeOffset.MinValue
        ? now
        : System.GetUtcNow();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        try
        {
            return _users.CreateTimer(callback, state, dueTime, period);
        }
        catch (Exception error)
        {
            SafeCalls.Report(Provider, error);
            return System.CreateTimer(callback, state, dueTime, period);
        }
    }

    private TResult Ask<TResult>(Func<TimeProvider, TResult> ask, TResult byDefault)
    {
        try
        {
            return ask(_users);
        }
        catch (Exception error)
        {
            SafeCalls.Report(Provider, error);
            return byDefault;
        }
    }
}

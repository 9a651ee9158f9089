using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Retry;

/// <summary>A clock that is moved by hand and tells of each timer that is armed.</summary>
internal sealed class HandClock : FakeTimeProvider
{
    private readonly Channel<TimeSpan> _armed = Channel.CreateUnbounded<TimeSpan>();
    private int _timers;

    /// <summary>Timers armed so far.</summary>
    public int Timers => Volatile.Read(ref _timers);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ITimer timer = base.CreateTimer(callback, state, dueTime, period);
        Interlocked.Increment(ref _timers);
        _armed.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>Waits until a timer is armed and answers with its time.</summary>
    public async Task<TimeSpan> NextTimerAsync() => await _armed.Reader.ReadAsync();

    /// <summary>Lets time pass for the call, timer by timer, until it ends; answers with the waits too.</summary>
    public async Task<(Outcome<T> Outcome, TimeSpan[] Waits)> DriveAsync<T>(ValueTask<Outcome<T>> call)
    {
        Task<Outcome<T>> outcome = call.AsTask();
        List<TimeSpan> waits = [];
        while (true)
        {
            Task<bool> armed = _armed.Reader.WaitToReadAsync().AsTask();
            await Task.WhenAny(outcome, armed);
            if (!_armed.Reader.TryRead(out TimeSpan wait)) return (await outcome, [.. waits]);
            waits.Add(wait);
            Advance(wait);
        }
    }
}

/// <summary>A delegate that fails so many times and then answers with the number of its attempt.</summary>
internal sealed class Script(int failures = 0)
{
    public int Attempts;

    public bool Asynchronously { get; init; }

    public Func<int, Exception> Failure { get; init; } = _ => new IOException("the dependency failed");

    public List<Exception> Thrown { get; } = [];

    public async ValueTask<int> RunAsync(CancellationToken cancellationToken)
    {
        int number = Attempts++;
        if (Asynchronously) await Task.Yield();
        if (number >= failures) return number;
        Exception error = Failure(number);
        Thrown.Add(error);
        throw error;
    }
}

internal sealed class TestRejection(TimeSpan? retryAfter) : Rejection("door")
{
    public override string Reason => "closed";

    public override TimeSpan? RetryAfter => retryAfter;

    public override ResilienceException ToException() => new(this);
}

/// <summary>A policy below the retry that rejects so many times.</summary>
internal sealed class Door(int rejections, TimeSpan? retryAfter) : SimplePolicy
{
    public int Asked;

    protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) =>
        Asked++ < rejections ? new(Outcome.Rejected<T>(new TestRejection(retryAfter))) : next.ExecuteAsync(context);
}

/// <summary>A policy below the retry that marks failures.</summary>
internal sealed class Marker : SimplePolicy
{
    protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) =>
        (await next.ExecuteAsync(context)).MarkedDoNotRetry();
}

/// <summary>A result that remembers whether it was disposed.</summary>
internal sealed class Answer(bool isBad) : IDisposable
{
    public bool IsBad => isBad;

    public int Disposals { get; private set; }

    public void Dispose() => Disposals++;
}

/// <summary>An exception that says when to come back.</summary>
internal sealed class BusyException : ResilienceException
{
    public BusyException(TimeSpan retryAfter)
        : base("busy") => RetryAfter = retryAfter;
}

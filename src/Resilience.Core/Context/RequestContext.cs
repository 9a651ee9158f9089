namespace Resilience.Overload;

/// <summary>The request on whose behalf the code runs that asks: how much time it has left, how much it matters, which attempt it is. It flows with the
/// execution context, as an <see cref="AsyncLocal{T}"/> does.</summary>
/// <remarks>
/// <para>Every call of a pipeline made meanwhile ends with the earlier of <see cref="CallOptions.Deadline"/> and the deadline of the request, and has the
/// class of the request unless <see cref="CallOptions.Criticality"/> says another. <c>UseRequestDeadlines</c> of Resilience.AspNetCore begins one for each
/// request; other code, such as a consumer of messages, begins its own with <see cref="Begin"/>.</para>
/// <para>What is started within a request and goes on after it (a timer, a background queue) would inherit its deadline: start it
/// under <see cref="Suppress"/>.</para>
/// <para>Thread-safe.</para>
/// </remarks>
public sealed class RequestContext
{
    private static readonly AsyncLocal<RequestContext?> Ambient = new();

    private readonly Clock _clock; // of the deadline
    private readonly long _deadlineMs; // on its line
    private readonly RequestMarks _marks; // those of the request around it, if there is one: the answer is the outermost one's

    private RequestContext(in RequestContextOptions options, RequestContext? around)
    {
        _clock = Clock.For(options.TimeProvider ?? TimeProvider.System);
        _deadlineMs = options.Timeout is { } timeout ? Clock.After(_clock.NowMs, timeout) : Clock.Never;
        Criticality = options.Criticality ?? around?.Criticality ?? Criticality.Critical;
        Attempt = options.Attempt ?? around?.Attempt ?? 0;
        _marks = around?._marks ?? new();
        if (around is null || around.DeadlineOn(_clock) >= _deadlineMs) return;
        _clock = around._clock;
        _deadlineMs = around._deadlineMs;
    }

    /// <summary>The request on whose behalf this code runs; null when none was begun, or it is suppressed.</summary>
    public static RequestContext? Current => RequestUse.HasBegun ? Ambient.Value : null;

    /// <summary>How much it matters that the request succeeds. Default <see cref="Criticality.Critical"/>.</summary>
    public Criticality Criticality { get; }

    /// <summary>Which attempt of the one who asked this is: 0 for the first.</summary>
    public int Attempt { get; }

    /// <summary>Time left before the deadline, never negative; null when there is none.</summary>
    public TimeSpan? RemainingTime =>
        _deadlineMs == Clock.Never ? null : TimeSpan.FromMilliseconds(Math.Max(0, _deadlineMs - _clock.NowMs));

    /// <summary>Whether there is a deadline and it has passed.</summary>
    public bool IsExpired => _deadlineMs != Clock.Never && _clock.NowMs >= _deadlineMs;

    /// <summary>Whether <see cref="SetDoNotRetry"/> was called.</summary>
    public bool IsDoNotRetry => _marks.IsForbidden;

    /// <summary>Begins a request in the code that follows, until the scope is disposed.</summary>
    /// <param name="options">What is known of it. Unless it is <see cref="RequestContextOptions.IsIndependent"/>, it is a part of the request in which it
    /// begins, if there is one: what it does not say it takes from there, and its deadline is never later.</param>
    /// <exception cref="ArgumentException">The timestamps of <see cref="RequestContextOptions.TimeProvider"/> do not advance.</exception>
    public static RequestScope Begin(RequestContextOptions options)
    {
        RequestContext? before = Current;
        RequestContext request = new(options, options.IsIndependent ? null : before);
        RequestUse.HasBegun = true;
        Ambient.Value = request;
        return new(request, before);
    }

    /// <summary>The code that follows, and what it starts, belongs to no request until the scope is disposed.</summary>
    public static RequestScope Suppress()
    {
        if (Current is not { } before) return default;
        Ambient.Value = null;
        return new(null, before);
    }

    /// <summary>Says that who asked shall not ask again if the request fails: the answer is marked, if it is an error.</summary>
    public void SetDoNotRetry() => _marks.Forbid();

    /// <summary>Says that a call of this request has given up on this: an exception, a rejection or a response. Pipelines say it of what they end with
    /// when it is marked (<see cref="Outcome{T}.DoNotRetry"/>) or their retries are used up.</summary>
    /// <param name="cause">Compared by reference. The last sixteen of a request are known.</param>
    /// <exception cref="ArgumentNullException"><paramref name="cause"/> is null.</exception>
    public void GiveUpOn(object cause)
    {
        ArgumentNullException.ThrowIfNull(cause);
        _marks.Add(cause);
    }

    /// <summary>Whether this is something that a call of this request has given up on, or an exception that wraps it, or stands for it
    /// (<see cref="HttpResponseMessage.EnsureSuccessStatusCode"/>). A request that fails because of it should say so to who asked.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="cause"/> is null.</exception>
    public bool HasGivenUpOn(object cause)
    {
        ArgumentNullException.ThrowIfNull(cause);
        return _marks.Has(cause);
    }

    internal static void Restore(RequestContext? before) => Ambient.Value = before;

    /// <summary>The deadline on the line of a pipeline's clock, which may be another one.</summary>
    internal long DeadlineOn(Clock clock) =>
        _deadlineMs == Clock.Never || ReferenceEquals(clock, _clock)
            ? _deadlineMs
            : Clock.After(clock.NowMs, TimeSpan.FromMilliseconds(Math.Max(0, _deadlineMs - _clock.NowMs)));
}

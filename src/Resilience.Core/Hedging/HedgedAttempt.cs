namespace Resilience;

/// <summary>One attempt: its own copy of the context, its own token, and its task once it has not ended at once.</summary>
internal struct HedgedAttempt<T>
{
    internal readonly ResilienceContext Context;
    private readonly TimeoutSource _source;

    private HedgedAttempt(ResilienceContext context, TimeoutSource source)
    {
        Context = context;
        _source = source;
        Running = null!;
        Number = 0;
    }

    internal Task<Outcome<T>> Running { get; set; }

    /// <summary>Which of the race it is, 0 for the first.</summary>
    internal int Number { get; set; }

    /// <param name="call">The context of the call, which no attempt touches.</param>
    /// <param name="isFirst">The first attempt goes on with the time of the call; others begin now.</param>
    internal static HedgedAttempt<T> Begin(ResilienceContext call, bool isFirst)
    {
        ResilienceContext own = isFirst ? call.CopyToSpare() : call.Copy();
        own.ForgetAttempt();
        if (!isFirst)
        {
            own.MarkBegun();
            own.LowerCriticality();
        }

        TimeoutSource source = TimeoutPool.RentUntimed(call.Clock);
        source.LinkTo(call.InnermostTimeout, call.Token);

        // Without a timeout around us a timeout inside must see that, because it then ends the call at the caller's deadline.
        if (own.InnermostTimeout is not null) own.InnermostTimeout = source;
        own.Token = source.Token;
        return new(own, source);
    }

    /// <summary>It has ended: its token is not cancelled any more.</summary>
    internal readonly void End()
    {
        EndSource();
        Context.EndFork();
    }

    /// <summary>It has ended before anything else has begun, and its outcome is that of the call.</summary>
    internal readonly void EndAtOnce(ResilienceContext call)
    {
        EndSource();
        call.Take(Context);
        call.EndSpareFork(Context);
    }

    private readonly void EndSource()
    {
        _source.Disarm(out bool isReusable);
        if (isReusable) TimeoutPool.Return(_source);
        else TimeoutPool.Drop(_source);
    }

    /// <summary>It has lost. It is cancelled and left alone: nothing around it belongs to it any more, and what it brings is thrown
    /// away, unless the caller gets the same.</summary>
    internal readonly void Abandon()
    {
        _source.End();
        _source.Leave();
        TimeoutPool.Drop(_source);
        _ = Running.ContinueWith(
            static (lost, state) =>
            {
                ResilienceContext context = (ResilienceContext)state!;
                lost.Result.Leave(context); // an outcome is data: the task of a link never faults
                context.EndFork();
            },
            Context,
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }
}

using System.Threading.Tasks.Sources;
using Resilience.CustomPolicy;

namespace Resilience.Tests.Samples;

/// <summary>The same small policy twice: as one of ours, with all that is internal, and in the assembly of another author. It costs no more there.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class ForeignPolicyCostTests
{
    /// <summary>What samples/CustomPolicy would be if it stood in our tree: a link of its own that is not guarded, and that suspends without a state machine.</summary>
    private sealed class OurPausePolicy(PauseSwitch pause) : ResiliencePolicy
    {
        internal override bool NeverThrows => true;

        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(pause, next);

        private sealed class Link<T>(PauseSwitch pause, PolicyLink<T> next) : SuspendingLink<T>
        {
            public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                if (pause.TryEnter() is { } rejection) return new(new Outcome<T>(default, rejection, Verdict.Rejected, OutcomeMarks.None));
                ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
                if (!running.IsCompletedSuccessfully) return Suspend(running, context);
                pause.Exit();
                return running;
            }

            private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
            {
                pause.Exit();
                return true;
            }
        }
    }

    private static PauseSwitch NewSwitch() => new(new() { EndSpread = TimeSpan.Zero });

    private static (ResiliencePipeline Ours, ResiliencePipeline Foreign, ResiliencePipeline Simple) Pipelines(PauseSwitch pause) => (
        new ResiliencePipelineBuilder().AddPolicy(new OurPausePolicy(pause)).Build(),
        new ResiliencePipelineBuilder().AddPauseSwitch(pause).Build(),
        new ResiliencePipelineBuilder().AddSimplePauseSwitch(pause).Build());

    /// <summary>Bytes of one run, after it has warmed up. Tiered compilation may swap code while we look, so it is the best of several looks.</summary>
    private static double BytesPerRun(Action action)
    {
        double min = double.MaxValue;
        for (int look = 0; look < 20 && min > 0; look++)
        {
            for (int i = 0; i < 100; i++) action();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++) action();
            min = Math.Min(min, (GC.GetAllocatedBytesForCurrentThread() - before) / 1000.0);
        }

        return min;
    }

    private static void Call(ResiliencePipeline pipeline)
    {
        ValueTask<Outcome<int>> call = pipeline.TryExecuteAsync(static _ => new ValueTask<int>(42));
        if (!call.IsCompletedSuccessfully || call.Result.Verdict == Verdict.Failure) throw new InvalidOperationException();
    }

    /// <summary>A delegate that ends when it is told to, and can begin again.</summary>
    private sealed class Later : IValueTaskSource<int>
    {
        private ManualResetValueTaskSourceCore<int> _core;

        internal ValueTask<int> Begin()
        {
            _core.Reset();
            return new(this, _core.Version);
        }

        internal void End() => _core.SetResult(42);

        int IValueTaskSource<int>.GetResult(short token) => _core.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _core.GetStatus(token);

        void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags);
    }

    private static void CallThatSuspends(ResiliencePipeline pipeline, Later later)
    {
        ValueTask<Outcome<int>> call = pipeline.TryExecuteAsync(static (l, _) => l.Begin(), later);
        later.End();
        if (call.GetAwaiter().GetResult().Value != 42) throw new InvalidOperationException();
    }

    [Fact]
    public void A_call_allocates_nothing_whether_it_passes_suspends_or_is_rejected()
    {
        SynchronizationContext.SetSynchronizationContext(null);
        PauseSwitch pause = NewSwitch();
        (ResiliencePipeline ours, ResiliencePipeline foreign, ResiliencePipeline simple) = Pipelines(pause);
        Later later = new();
        foreach (ResiliencePipeline pipeline in new[] { ours, foreign })
        {
            BytesPerRun(() => Call(pipeline)).Should().Be(0);
            BytesPerRun(() => CallThatSuspends(pipeline, later)).Should().Be(0);
        }

        BytesPerRun(() => Call(simple)).Should().BePositive("it is guarded: the measurement sees what it should");
        pause.Running.Should().Be(0, "each call that went in has come out");
        pause.Pause(TimeSpan.FromMinutes(5), "we test");
        foreach (ResiliencePipeline pipeline in new[] { ours, foreign })
            BytesPerRun(() => Call(pipeline)).Should().Be(0, "a rejection is made once for each pause");
    }
}

namespace Resilience.Tests.AdaptiveLimiting;

/// <summary>Sequences of operations against a model on paper: who runs, who waits, and how each wait ends; all of a length, and long ones at random. The model
/// with a planted flaw must be found wrong by the same sequences.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class AdaptiveLimitSequenceTests
{
    private const int Bound = 2;

    private enum Op
    {
        EnterLow,
        EnterHigh,
        TryEnter,
        Leave,
        CancelOldest,
        EndAllWaits,
        Raise,
        Lower,
    }

    internal enum Flaw
    {
        None,
        ServesTheLowestFirst,
        ServesTheLastFirst,
        EvictsTheOldest,
        EvictsNothing,
        WakesNoWaiterWhenRaised,
        LosesThePlaceOfACancelledWaiter,
    }

    private static readonly Op[] All = Enum.GetValues<Op>();

    /// <summary>A lock is not needed, nor a clock: a number and a list.</summary>
    private sealed class Model(Flaw flaw = Flaw.None)
    {
        private readonly List<(int Call, Criticality Criticality)> _queue = [];

        internal List<string> Ends { get; } = [];

        internal int Running { get; private set; }

        internal int Waiting => _queue.Count;

        internal int Limit { get; private set; } = 1;

        internal int Oldest => _queue.Count == 0 ? -1 : _queue.Min(q => q.Call);

        internal void Enter(Criticality criticality)
        {
            int call = Ends.Count;
            Ends.Add("waits");
            if (Running < Limit && _queue.Count == 0)
            {
                Running++;
                Ends[call] = "entered";
                return;
            }

            if (_queue.Count >= Bound)
            {
                (int Call, Criticality Criticality)[] below = [.. _queue.Where(q => q.Criticality < criticality).OrderBy(q => q.Criticality)];
                if (below.Length == 0 || flaw == Flaw.EvictsNothing)
                {
                    Ends[call] = nameof(AdaptiveLimitReason.QueueFull);
                    return;
                }

                IEnumerable<int> lowest = below.Where(q => q.Criticality == below[0].Criticality).Select(q => q.Call);
                Remove(flaw == Flaw.EvictsTheOldest ? lowest.Min() : lowest.Max(), nameof(AdaptiveLimitReason.Evicted));
            }

            _queue.Add((call, criticality));
        }

        internal bool TryEnter()
        {
            bool enters = Running < Limit && _queue.Count == 0;
            if (enters) Running++;
            return enters;
        }

        internal void Leave()
        {
            Running--;
            Admit();
        }

        internal void CancelOldest()
        {
            Remove(Oldest, "cancelled");
            if (flaw == Flaw.LosesThePlaceOfACancelledWaiter) Running++;
        }

        internal void EndAllWaits()
        {
            foreach ((int call, _) in _queue.ToArray()) Remove(call, nameof(AdaptiveLimitReason.WaitedTooLong));
        }

        internal void Change(int limit)
        {
            Limit = limit;
            if (flaw != Flaw.WakesNoWaiterWhenRaised) Admit();
        }

        private void Admit()
        {
            while (Running < Limit && _queue.Count > 0)
            {
                Criticality next = flaw == Flaw.ServesTheLowestFirst ? _queue.Min(q => q.Criticality) : _queue.Max(q => q.Criticality);
                IEnumerable<int> calls = _queue.Where(q => q.Criticality == next).Select(q => q.Call);
                Running++;
                Remove(flaw == Flaw.ServesTheLastFirst ? calls.Max() : calls.Min(), "entered");
            }
        }

        private void Remove(int call, string end)
        {
            _queue.RemoveAll(q => q.Call == call);
            Ends[call] = end;
        }
    }

    private sealed class Subject
    {
        private readonly HeldTimers _timers = new();
        private readonly List<(Task<LimitAdmission> Task, CancellationTokenSource Cancel)> _calls = [];

        internal Subject() => Limit = new(Options(1), _timers);

        internal AdaptiveConcurrencyLimit Limit { get; }

        /// <summary>The clock stands still, so no queue is standing.</summary>
        internal static AdaptiveConcurrencyLimitOptions Options(int limit) => new()
        {
            InitialLimit = limit,
            MinLimit = 1,
            MaxLimit = limit,
            MaxQueued = Bound,
            MaxWait = TimeSpan.FromMinutes(1),
        };

        internal void Enter(Criticality criticality)
        {
            CancellationTokenSource cancel = new();
            _calls.Add((Limit.EnterAsync(criticality, null, cancel.Token).AsTask(), cancel));
        }

        internal Task CancelAsync(int call) => _calls[call].Cancel.CancelAsync();

        internal void EndAllWaits() => _timers.FireAll();

        internal async Task<string> EndOfAsync(int call)
        {
            try
            {
                LimitAdmission admission = await _calls[call].Task.WaitAsync(TimeSpan.FromSeconds(30));
                return admission.IsAdmitted ? "entered" : admission.Rejection.Why.ToString();
            }
            catch (OperationCanceledException)
            {
                return "cancelled";
            }
        }
    }

    private static async Task<string?> CompareAsync(Op[] sequence, Flaw flaw)
    {
        Model model = new(flaw);
        Subject subject = new();
        for (int i = 0; i <= sequence.Length; i++)
        {
            Op op = i == sequence.Length ? Op.EndAllWaits : sequence[i]; // at last all that still wait give up: one that was let in wrongly shows now
            switch (op)
            {
                case Op.EnterLow or Op.EnterHigh:
                    Criticality criticality = op == Op.EnterLow ? Criticality.Sheddable : Criticality.Critical;
                    model.Enter(criticality);
                    subject.Enter(criticality);
                    break;
                case Op.TryEnter:
                    if (model.TryEnter() != subject.Limit.TryEnter().HasValue) return Tell("TryEnter answered wrongly");
                    break;
                case Op.Leave when subject.Limit.Running > 0 && model.Running > 0:
                    model.Leave();
                    subject.Limit.TryRelease();
                    break;
                case Op.CancelOldest when model.Oldest >= 0:
                    await subject.CancelAsync(model.Oldest);
                    model.CancelOldest();
                    break;
                case Op.EndAllWaits:
                    model.EndAllWaits();
                    subject.EndAllWaits();
                    break;
                case Op.Raise or Op.Lower:
                    int limit = op == Op.Raise ? 2 : 1;
                    model.Change(limit);
                    subject.Limit.Update(Subject.Options(limit));
                    break;
                default:
                    break;
            }

            if (subject.Limit.Running != model.Running || subject.Limit.Waiting != model.Waiting || subject.Limit.Limit != model.Limit)
                return Tell($"{subject.Limit.Running} run and {subject.Limit.Waiting} wait, not {model.Running} and {model.Waiting}, after step {i + 1}");
        }

        for (int call = 0; call < model.Ends.Count; call++)
        {
            string end = await subject.EndOfAsync(call);
            if (end != model.Ends[call]) return Tell($"call {call + 1} ended {end} and not {model.Ends[call]}");
        }

        return null;

        string Tell(string what) => $"{string.Join(", ", sequence)}: {what}";
    }

    private static async Task<string?> FirstDisagreementAsync(int length, Flaw flaw = Flaw.None)
    {
        Op[] sequence = new Op[length];
        for (int number = 0; number < (int)Math.Pow(All.Length, length); number++)
        {
            for (int i = 0, rest = number; i < length; i++, rest /= All.Length) sequence[i] = All[rest % All.Length];
            if (await CompareAsync(sequence, flaw) is { } found) return found;
        }

        return null;
    }

    [Fact]
    public async Task Every_short_sequence_agrees_with_the_model() => (await FirstDisagreementAsync(5)).Should().BeNull();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Long_sequences_at_random_agree_with_the_model(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < 300; i++)
            (await CompareAsync([.. Enumerable.Range(0, 40).Select(_ => All[random.Next(All.Length)])], Flaw.None)).Should().BeNull();
    }

    public static TheoryData<string> Flaws => [.. Enum.GetNames<Flaw>().Where(f => f != nameof(Flaw.None))];

    [Theory]
    [MemberData(nameof(Flaws))]
    public async Task A_planted_flaw_is_found(string flaw) => (await FirstDisagreementAsync(5, Enum.Parse<Flaw>(flaw))).Should().NotBeNull();

    private readonly ManualTime _time = new();

    /// <summary>Threads take and give back places while windows end and the limit changes: never more run than the largest limit of the time, and none is
    /// lost. Planted: one that looks first and adds afterwards.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Never_more_run_than_may_and_no_place_is_lost(bool planted)
    {
        AdaptiveConcurrencyLimit limit = new(new() { InitialLimit = 2, MaxLimit = 2 }, _time);
        int running = 0, careless = 0;
        bool broken = false;
        Together.Run(2, planted ? 3_000_000 : 60_000, _ => { }, (_, _) =>
        {
            LimitPermit? permit = null;
            if (planted)
            {
                if (Volatile.Read(ref careless) >= 1) return;
                Thread.SpinWait(20); // so that the check need not wait for a rare moment
                Interlocked.Increment(ref careless);
            }
            else if ((permit = limit.TryEnter(Criticality.CriticalPlus)) is null)
            {
                return;
            }

            if (Interlocked.Increment(ref running) > (planted ? 1 : 2)) broken = true;
            Interlocked.Decrement(ref running);
            if (planted) Interlocked.Decrement(ref careless);
            else limit.Leave(permit!.Value, Verdict.Success);
            _time.Advance(TimeSpan.FromMilliseconds(50));
        }, _ => broken |= limit.Running != 0, () => Volatile.Read(ref broken));
        broken.Should().Be(planted);
        if (!planted) limit.GetSnapshot().Latency.Should().NotBeNull("windows have ended");
    }

    /// <summary>A call that has the new epoch has begun under the new limit. Planted: the epoch is read after the place was taken.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_call_that_began_under_the_old_limit_never_has_the_new_epoch(bool planted)
    {
        AdaptiveConcurrencyLimit limit = null!;
        int epoch = 0;
        bool entered = false, broken = false;
        AdaptiveConcurrencyLimitOptions lower = new() { Algorithm = LimitAlgorithm.Gradient, InitialLimit = 1, MinLimit = 1, MaxLimit = 1 };
        Together.Run(2, planted ? 1_000_000 : 30_000, _ =>
        {
            limit = new(new() { InitialLimit = 2 }, _time);
            limit.TryEnter(Criticality.CriticalPlus);
            entered = false;
        }, (thread, round) =>
        {
            if (thread == 0)
            {
                limit.Update(lower);
                return;
            }

            Thread.SpinWait(round % 64);
            if (limit.TryEnter(Criticality.CriticalPlus) is not { } permit) return;
            entered = true;
            if (planted) Thread.SpinWait(50);
            epoch = planted ? limit.Period.Epoch.Number : permit.Epoch;
        }, _ => broken |= entered && epoch != 1, () => broken);
        broken.Should().Be(planted, "one runs already, so a second one was let in by the old limit");
    }
}

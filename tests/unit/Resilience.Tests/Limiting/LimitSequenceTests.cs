namespace Resilience.Tests.Limiting;

/// <summary>Every sequence of operations against a model on paper: who runs, who waits, and how each wait ends.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class LimitSequenceTests
{
    private const int Queue = 2;

    private enum Op
    {
        Enter,
        TryEnter,
        Leave,
        CancelOldest,
        CancelNewest,
        EndAllWaits,
        Raise,
        Lower,
        Widen,
        Narrow,
    }

    /// <summary>The limit is changed alone; updates change the queue as well, in shorter sequences.</summary>
    private static readonly Op[] WithoutUpdates = [.. Enum.GetValues<Op>().Where(op => op < Op.Widen)], All = Enum.GetValues<Op>();

    private const int LengthWithUpdates = 5;

    private enum Ended
    {
        Waits,
        Entered,
        Full,
        TooLong,
        Cancelled,
    }

    private static int Length => Environment.GetEnvironmentVariable("RESILIENCE_DEEP") == "1" ? 8 : 7;

    [Fact]
    public async Task Every_sequence_of_operations_agrees_with_the_model() =>
        (await FirstDisagreementAsync(() => new OurLimit(1, Queue), Length)).Should().BeNull();

    [Fact]
    public async Task Every_sequence_with_updates_of_the_limit_agrees_with_the_model() =>
        (await FirstDisagreementAsync(() => new OurLimit(1, Queue), LengthWithUpdates, All)).Should().BeNull();

    [Fact]
    public async Task The_slow_twin_agrees_with_the_model() =>
        (await FirstDisagreementAsync(() => new PlainLimit(1, Queue), LengthWithUpdates, All)).Should().BeNull();

    [Theory]
    [InlineData(8)]
    [InlineData(9)]
    public async Task Sequences_with_updates_find_a_limit_with_a_flaw(int flaw) =>
        (await FirstDisagreementAsync(() => new PlainLimit(1, Queue, (LimitFlaw)flaw), LengthWithUpdates, All)).Should().NotBeNull();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(6)]
    [InlineData(7)]
    public async Task The_check_finds_a_limit_with_a_flaw(int flaw) =>
        (await FirstDisagreementAsync(() => new PlainLimit(1, Queue, (LimitFlaw)flaw), Length)).Should().NotBeNull();

    /// <summary>While a call waits, a new one finds no place, at whatever moment the running call leaves.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void No_call_overtakes_those_that_wait_at_the_moment_a_place_becomes_free(bool flawed)
    {
        ILimit limit = null!;
        bool overtook = false, wrong = false;
        Together.Run(2, flawed ? 1_000_000 : 30_000, _ =>
        {
            limit = flawed ? new PlainLimit(1, 1, LimitFlaw.LetsNewcomersOvertake) : new OurLimit(1, 1);
            limit.TryEnter();
            limit.EnterAsync(default);
        }, (thread, round) =>
        {
            if (thread == 0)
            {
                limit.Leave();
            }
            else
            {
                Thread.SpinWait(round % 32);
                overtook = limit.TryEnter();
            }
        }, _ => wrong |= overtook || limit.Running != 1 || limit.Waiting != 0, () => wrong);
        wrong.Should().Be(flawed);
    }

    /// <summary>A waiter is let in and cancelled at the same moment: it has the place or it has not, and no place is lost.</summary>
    [Fact]
    public void No_place_is_lost_when_a_waiter_is_let_in_and_cancelled_at_once()
    {
        OurLimit limit = null!;
        CancellationTokenSource cancel = null!;
        Task<LimitReason?> waiting = null!;
        int entered = 0, cancelled = 0;
        Together.Run(2, 100_000, _ =>
        {
            limit = new(1, 1);
            cancel = new();
            limit.TryEnter();
            waiting = limit.EnterAsync(cancel.Token);
        }, (thread, round) =>
        {
            if (thread == 0)
            {
                Thread.SpinWait(round % 32);
                limit.Leave();
            }
            else
            {
                cancel.Cancel();
            }
        }, _ =>
        {
            ((IAsyncResult)waiting).AsyncWaitHandle.WaitOne(TimeSpan.FromSeconds(30)).Should().BeTrue("every wait ends");
            if (waiting.IsCanceled) cancelled++;
            else entered++;
            limit.Running.Should().Be(waiting.IsCanceled ? 0 : 1);
            limit.Waiting.Should().Be(0);
        }, () => entered + cancelled >= 5000 && entered > 10 && cancelled > 10);
        entered.Should().BePositive();
        cancelled.Should().BePositive("both must have happened, or they never met");
    }

    private static async Task<string?> FirstDisagreementAsync(Func<ILimit> make, int length, Op[]? operations = null)
    {
        Op[] all = operations ?? WithoutUpdates, sequence = new Op[length];
        return await ExtendAsync(0);

        async Task<string?> ExtendAsync(int depth)
        {
            if (depth == length)
            {
                return await CompareAsync(make(), sequence);
            }

            foreach (Op op in all)
            {
                sequence[depth] = op;
                if (!ModelLimit.IsPossible(sequence.AsSpan(0, depth + 1))) continue;
                if (await ExtendAsync(depth + 1) is { } found) return found;
            }

            return null;
        }
    }

    private static async Task<string?> CompareAsync(ILimit limit, Op[] sequence)
    {
        ModelLimit model = new();
        List<(Task<LimitReason?> Task, CancellationTokenSource Cancel)> calls = [];
        for (int i = 0; i <= sequence.Length; i++)
        {
            bool isEnd = i == sequence.Length; // at last all calls that still wait give up: one that was let in wrongly shows now
            Op op = isEnd ? Op.EndAllWaits : sequence[i];
            int target = model.Target(op);
            bool entered = model.Apply(op);
            switch (op)
            {
                case Op.Enter:
                    CancellationTokenSource cancel = new();
                    calls.Add((limit.EnterAsync(cancel.Token), cancel));
                    break;
                case Op.TryEnter:
                    if (limit.TryEnter() != entered) return Tell("TryEnter answered wrongly");
                    break;
                case Op.Leave:
                    limit.Leave();
                    break;
                case Op.CancelOldest or Op.CancelNewest:
                    await calls[target].Cancel.CancelAsync();
                    break;
                case Op.EndAllWaits:
                    limit.EndAllWaits();
                    break;
                case Op.Widen or Op.Narrow:
                    limit.Update(model.Limit, model.Bound);
                    break;
                default:
                    limit.SetLimit(model.Limit);
                    break;
            }

            if (limit.Running != model.Running || limit.Waiting != model.Waiting)
                return Tell($"{limit.Running} run and {limit.Waiting} wait instead of {model.Running} and {model.Waiting} after step {i + 1}");
        }

        for (int i = 0; i < calls.Count; i++)
        {
            Ended outcome = await CompletionOfAsync(calls[i].Task);
            if (outcome != model.Outcomes[i]) return Tell($"call {i + 1} ended {outcome} instead of {model.Outcomes[i]}");
        }

        return null;

        string Tell(string what) => $"{string.Join(", ", sequence)}: {what}";
    }

    private static async Task<Ended> CompletionOfAsync(Task<LimitReason?> call)
    {
        try
        {
            return await call.WaitAsync(TimeSpan.FromSeconds(30)) switch
            {
                null => Ended.Entered,
                LimitReason.QueueFull => Ended.Full,
                _ => Ended.TooLong,
            };
        }
        catch (OperationCanceledException)
        {
            return Ended.Cancelled;
        }
        catch (TimeoutException)
        {
            return Ended.Waits;
        }
    }

    private sealed class ModelLimit
    {
        private readonly List<int> _queue = [];

        internal int Limit { get; private set; } = 1;

        internal int Bound { get; private set; } = Queue;

        internal int Running { get; private set; }

        internal int Waiting => _queue.Count;

        internal List<Ended> Outcomes { get; } = [];

        /// <summary>An operation that would change nothing at the end of this sequence is left out.</summary>
        internal static bool IsPossible(ReadOnlySpan<Op> sequence)
        {
            ModelLimit model = new();
            foreach (Op op in sequence[..^1]) model.Apply(op);
            return sequence[^1] switch
            {
                Op.Leave => model.Running > 0,
                Op.CancelOldest or Op.EndAllWaits => model.Waiting > 0,
                Op.CancelNewest => model.Waiting > 1,
                Op.Lower => model.Limit > 1,
                Op.Widen => (model.Limit, model.Bound) != (2, 3),
                Op.Narrow => (model.Limit, model.Bound) != (1, 1),
                _ => true,
            };
        }

        internal int Target(Op op) => _queue.Count == 0 ? -1 : op == Op.CancelNewest ? _queue[^1] : _queue[0];

        internal bool Apply(Op op)
        {
            switch (op)
            {
                case Op.Enter:
                    Outcomes.Add(Running < Limit ? Ended.Entered : Waiting < Bound ? Ended.Waits : Ended.Full);
                    if (Outcomes[^1] == Ended.Entered) Running++;
                    if (Outcomes[^1] == Ended.Waits) _queue.Add(Outcomes.Count - 1);
                    break;
                case Op.TryEnter:
                    if (Running >= Limit) return false;
                    Running++;
                    return true;
                case Op.Leave:
                    Running--;
                    break;
                case Op.CancelOldest or Op.CancelNewest:
                    Outcomes[Target(op)] = Ended.Cancelled;
                    _queue.Remove(Target(op));
                    break;
                case Op.EndAllWaits:
                    foreach (int call in _queue) Outcomes[call] = Ended.TooLong;
                    _queue.Clear();
                    break;
                case Op.Raise:
                    Limit++;
                    break;
                case Op.Lower:
                    Limit--;
                    break;
                case Op.Widen:
                    (Limit, Bound) = (2, 3);
                    break;
                case Op.Narrow:
                    (Limit, Bound) = (1, 1); // who waits goes on waiting
                    break;
            }

            while (Running < Limit && _queue.Count > 0)
            {
                Running++;
                Outcomes[_queue[0]] = Ended.Entered;
                _queue.RemoveAt(0);
            }

            return true;
        }
    }
}

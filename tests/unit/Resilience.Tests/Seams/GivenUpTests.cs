using System.Runtime.CompilerServices;

namespace Resilience.Tests.Seams;

/// <summary>A call that has given up tells the call around it, also when the delegate of that one has awaited something before; and no other.</summary>
public sealed class GivenUpTests
{
    private static readonly IOException Cached = new("cached");

    private static ResiliencePipelineBuilder Retrying(RetryBudget? budget = null) => new ResiliencePipelineBuilder().AddRetry(o =>
    {
        (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 2);
        if (budget is not null) o.Budget = budget;
    });

    /// <summary>A pipeline that gives up on its first failure.</summary>
    private static ResiliencePipeline Poor() => Retrying(new(new() { Ratio = 0, MinRetriesPerSecond = 0 })).Build();

    private static readonly TimeSpan Long = TimeSpan.FromMinutes(5);

    private static async Task<int> AttemptsOfAsync(
        ResiliencePipeline pipeline, Func<CancellationToken, Task> attempt, CancellationToken cancellationToken = default)
    {
        int attempts = 0;
        await pipeline.TryExecuteAsync<int>(
            async token =>
            {
                Interlocked.Increment(ref attempts);
                await attempt(token);
                return 1;
            },
            cancellationToken);
        return attempts;
    }

    private static Task FailAsync(ResiliencePipeline inner, Exception error, CancellationToken token) =>
        inner.ExecuteAsync(_ => Task.FromException(error), token).AsTask();

    public static TheoryData<string, string> Nestings()
    {
        TheoryData<string, string> all = [];
        foreach (string outer in (string[])["caller's token", "total timeout", "attempt timeout", "short timeout", "abandoning", "hedging"])
        {
            foreach (string middle in (string[])["nothing", "empty", "timeout", "breaker", "retry", "no retry, two timeouts"]) all.Add(outer, middle);
        }

        return all;
    }

    private static ResiliencePipeline Outer(string kind) => kind switch
    {
        "total timeout" => new ResiliencePipelineBuilder().AddTimeout(Long).AddPipeline(Retrying().Build()).Build(),
        "attempt timeout" => Retrying().AddTimeout(Long).Build(),
        "short timeout" => Retrying().AddTimeout(o => o.TimeoutFor = _ => Long).Build(),
        "abandoning" => Retrying().AddTimeout(o => (o.Timeout, o.AbandonAfter) = (Long, TimeSpan.Zero)).Build(),
        "hedging" => new ResiliencePipelineBuilder().AddHedging(o => (o.MaxAttempts, o.Delay) = (3, Long)).Build(),
        _ => Retrying().Build(),
    };

    private static ResiliencePipeline? Middle(string kind) => kind switch
    {
        "nothing" => null,
        "timeout" => new ResiliencePipelineBuilder().AddTimeout(Long).Build(),
        "breaker" => new ResiliencePipelineBuilder().AddCircuitBreaker().Build(),
        "retry" => Retrying().Build(),
        "no retry, two timeouts" => new ResiliencePipelineBuilder().AddTimeout(Long).AddTimeout(Long / 2).Build(),
        _ => ResiliencePipeline.Empty,
    };

    [Theory]
    [MemberData(nameof(Nestings))]
    public async Task The_call_around_believes_the_call_inside_also_after_it_has_awaited_something(string outer, string middle)
    {
        ResiliencePipeline around = Outer(outer), inside = Poor();
        ResiliencePipeline? between = Middle(middle);
        foreach (bool awaits in (bool[])[true, false])
        {
            using CancellationTokenSource callers = new();
            async Task InsideAsync(CancellationToken token)
            {
                if (awaits) await Task.Yield();
                await FailAsync(inside, Cached, token);
            }

            int attempts = await AttemptsOfAsync(
                around,
                async token =>
                {
                    if (awaits) await Task.Yield();
                    if (between is null) await InsideAsync(token);
                    else await between.ExecuteAsync(InsideAsync, token);
                },
                callers.Token);
            attempts.Should().Be(1, "nothing above repeats what was given up on, and the delegate {0}", awaits ? "awaits first" : "does not await first");
            (await AttemptsOfAsync(around, _ => throw Cached, callers.Token)).Should().Be(3, "the object itself says nothing");
        }
    }

    [Fact]
    public async Task What_wraps_or_stands_for_what_was_given_up_on_is_believed_after_an_await()
    {
        using CancellationTokenSource callers = new();
        ResiliencePipeline inside = Poor();
        (await AttemptsOfAsync(
            Retrying().Build(),
            async token =>
            {
                await Task.Yield();
                try
                {
                    await FailAsync(inside, Cached, token);
                }
                catch (IOException failed)
                {
                    throw new InvalidDataException("wrapped", failed);
                }
            },
            callers.Token)).Should().Be(1);
    }

    /// <summary>All calls throw the same object, all are under way at the same time, each has its own token, and every second one gives up.</summary>
    [Fact]
    public async Task Of_many_calls_with_one_cached_exception_those_repeat_whose_own_call_inside_did_not_give_up()
    {
        const int calls = 200;
        ResiliencePipeline outer = Retrying(new(new() { Ratio = 1, MinRetriesPerSecond = 10_000 })).Build(), inside = Poor();
        Task<int>[] running = new Task<int>[calls];
        TaskCompletionSource[] go = [.. Enumerable.Range(0, calls).Select(_ => new TaskCompletionSource())];
        CancellationTokenSource[] callers = [.. Enumerable.Range(0, calls).Select(_ => new CancellationTokenSource())];
        for (int i = 0; i < calls; i++)
        {
            int me = i;
            running[i] = AttemptsOfAsync(
                outer,
                async token =>
                {
                    await go[me].Task;
                    if (me % 2 == 0) await FailAsync(inside, Cached, token);
                    throw Cached;
                },
                callers[i].Token);
        }

        await Parallel.ForAsync(0, calls, (i, _) =>
        {
            go[i].SetResult();
            return default;
        });
        int[] attempts = await Task.WhenAll(running);
        foreach (CancellationTokenSource source in callers) source.Dispose();
        attempts.Where((_, i) => i % 2 == 0).Should().AllBeEquivalentTo(1);
        attempts.Where((_, i) => i % 2 != 0).Should().AllBeEquivalentTo(3);
    }

    [Fact]
    public Task A_note_that_was_not_taken_is_void_when_the_token_of_a_timeout_serves_another_call() => Task.Run(() =>
    {
        ResiliencePipeline outer = Retrying().AddTimeout(Long).Build(), inside = Poor();
        CancellationToken first = default, second = default;
        TaskCompletionSource go = new();
        Task<int> former = AttemptsOfAsync(outer, async token =>
        {
            first = token;
            await go.Task.ConfigureAwait(false);
            await inside.TryExecuteAsync<int>(_ => throw Cached, token).ConfigureAwait(false); // heard, and not thrown on
        });
        go.SetResult(); // the rest runs here, so that this thread has the source among its spares
        former.IsCompletedSuccessfully.Should().BeTrue();
        Task<int> next = AttemptsOfAsync(outer, token =>
        {
            second = token;
            throw Cached;
        });
        second.Should().Be(first, "the case is made by a source that is used again");
        next.Result.Should().Be(3);
    });

    [Fact]
    public async Task A_call_that_another_one_went_on_with_tells_the_call_around_it()
    {
        using CancellationTokenSource mine = new(), others = new();
        ResiliencePipeline outer = Retrying().Build(), inside = Poor();
        TaskCompletionSource go = new();
        Task<int> waiting = AttemptsOfAsync(
            outer,
            async token =>
            {
                await go.Task.ConfigureAwait(false);
                await FailAsync(inside, Cached, token).ConfigureAwait(false);
            },
            mine.Token);
        int other = await Task.Run(() => AttemptsOfAsync(
            outer,
            _ =>
            {
                go.TrySetResult(); // what waits goes on inside of this delegate
                throw new IOException("another");
            },
            others.Token));
        (await waiting).Should().Be(1);
        other.Should().Be(3);
    }

    [Theory]
    [InlineData("no token")]
    [InlineData("another token")]
    public async Task After_an_await_a_call_that_was_not_given_the_token_is_not_known_and_the_call_around_repeats(string gives)
    {
        using CancellationTokenSource callers = new(), another = new();
        ResiliencePipeline inside = Poor();
        (await AttemptsOfAsync(
            Retrying().Build(),
            async _ =>
            {
                await Task.Yield();
                await FailAsync(inside, Cached, gives == "no token" ? default : another.Token);
            },
            callers.Token)).Should().Be(3);
    }

    // ---- the notes against a list

    private interface INotes
    {
        ushort Mark { get; }

        void Add(Exception error, CancellationToken token);

        bool Take(Exception error, ushort mark, CancellationToken token);
    }

    private sealed class Real : INotes
    {
        public ushort Mark => GivenUp.Mark;

        public void Add(Exception error, CancellationToken token) => GivenUp.Add(error, token);

        public bool Take(Exception error, ushort mark, CancellationToken token) => GivenUp.Take(error, mark, token);
    }

    /// <summary>The notes as a list, with what may be forgotten when one writes such a thing.</summary>
    private sealed class Listed(string flaw = "") : INotes
    {
        private readonly List<(Exception Error, CancellationToken Token, int Number)> _notes = [];
        private int _number = 1;

        public ushort Mark => (ushort)_number;

        public void Add(Exception error, CancellationToken token)
        {
            if (flaw != "says it twice") _notes.RemoveAll(n => n.Error == error && n.Token == token);
            _notes.Add((error, token, ++_number));
        }

        public bool Take(Exception error, ushort mark, CancellationToken token)
        {
            int found = _notes.FindIndex(n =>
                (flaw == "any object" || n.Error == error) && (flaw == "any token" || n.Token == token) && (flaw == "any time" || n.Number > mark));
            if (found >= 0 && flaw != "never forgets") _notes.RemoveAt(found);
            return found >= 0;
        }
    }

    /// <summary>The first sequence of attempts that begin, calls that give up and errors that come up to which the two say something else.</summary>
    private static string? Difference(Func<INotes> make)
    {
        const int operations = 12, length = 4;
        using CancellationTokenSource one = new(), two = new();
        CancellationToken[] tokens = [one.Token, two.Token];
        for (int sequence = 0; sequence < operations * operations * operations * operations; sequence++)
        {
            INotes notes = make(), list = new Listed();
            Exception[] errors = [new IOException("0"), new IOException("1")];
            (CancellationToken Token, ushort Mark, ushort Listed)[] attempts = [(tokens[0], notes.Mark, list.Mark), (tokens[1], notes.Mark, list.Mark)];
            for (int i = 0, left = sequence; i < length; i++, left /= operations)
            {
                (int kind, int first, int second) = (left % operations / 4, left % 4 / 2, left % 2);
                if (kind == 0)
                {
                    attempts[first] = (tokens[second], notes.Mark, list.Mark);
                }
                else if (kind == 1)
                {
                    notes.Add(errors[first], tokens[second]);
                    list.Add(errors[first], tokens[second]);
                }
                else if (notes.Take(errors[second], attempts[first].Mark, attempts[first].Token)
                    != list.Take(errors[second], attempts[first].Listed, attempts[first].Token))
                {
                    return $"sequence {sequence}, step {i}";
                }
            }
        }

        return null;
    }

    [Fact]
    public void Every_sequence_of_notes_agrees_with_the_list() => Difference(static () => new Real()).Should().BeNull();

    [Theory]
    [InlineData("any object")]
    [InlineData("any token")]
    [InlineData("any time")]
    [InlineData("never forgets")]
    [InlineData("says it twice")]
    public void The_check_finds_notes_that_are_believed_too_much(string flaw) => Difference(() => new Listed(flaw)).Should().NotBeNull();

    /// <summary>An attempt that lasts while so many calls give up that the number comes round believes less, never more.</summary>
    [Fact]
    public void A_very_long_attempt_never_uses_a_note_from_before_it()
    {
        using CancellationTokenSource source = new();
        IOException error = new(), other = new();
        GivenUp.Add(error, source.Token);
        ushort mark = GivenUp.Mark;
        for (int i = 0; i < 200_000; i++)
        {
            GivenUp.Add(other, source.Token);
            if (i % 1000 == 0) GivenUp.Take(error, mark, source.Token).Should().BeFalse();
        }
    }

    [Fact]
    public void A_note_keeps_neither_the_error_nor_the_token_alive()
    {
        (WeakReference error, WeakReference source) = AddOne();
        for (int i = 0; i < 10 && (error.IsAlive || source.IsAlive); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        error.IsAlive.Should().BeFalse();
        source.IsAlive.Should().BeFalse();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (WeakReference Error, WeakReference Source) AddOne()
    {
        IOException error = new();
        CancellationTokenSource source = new();
        GivenUp.Add(error, source.Token);
        GivenUp.Add(Cached, source.Token);
        return (new(error), new(source));
    }
}

using Microsoft.Extensions.Time.Testing;

namespace Resilience.StoreTests.PostgreSql;

/// <summary>Renewals that go together, above a database whose statements end when the test says so.</summary>
public sealed class PostgresRenewalsTests
{
    private static readonly Dictionary<string, Func<Func<Database>, Task>> Checks = new()
    {
        [nameof(The_first_renewal_goes_at_once_and_those_that_come_meanwhile_go_together)] = The_first_renewal_goes_at_once_and_those_that_come_meanwhile_go_together,
        [nameof(A_statement_holds_no_more_than_so_many_and_the_rest_comes_next)] = A_statement_holds_no_more_than_so_many_and_the_rest_comes_next,
        [nameof(Each_hears_its_own_answer_and_a_locked_row_is_asked_about_apart)] = Each_hears_its_own_answer_and_a_locked_row_is_asked_about_apart,
        [nameof(A_statement_that_hangs_holds_up_no_other_renewal)] = A_statement_that_hangs_holds_up_no_other_renewal,
        [nameof(Where_more_wait_than_one_statement_holds_a_hanging_one_is_overtaken_too)] = Where_more_wait_than_one_statement_holds_a_hanging_one_is_overtaken_too,
        [nameof(A_statement_holds_an_id_once_and_the_second_renewal_of_it_comes_after_the_first)] = A_statement_holds_an_id_once_and_the_second_renewal_of_it_comes_after_the_first,
        [nameof(A_caller_that_leaves_ends_only_its_own_wait)] = A_caller_that_leaves_ends_only_its_own_wait,
        [nameof(When_all_that_waited_have_left_nothing_is_sent_for_them_and_the_next_goes_at_once)] = When_all_that_waited_have_left_nothing_is_sent_for_them_and_the_next_goes_at_once,
        [nameof(An_outage_is_told_to_all_of_a_statement_and_to_no_other)] = An_outage_is_told_to_all_of_a_statement_and_to_no_other,
        [nameof(A_row_that_fails_a_statement_fails_only_its_own_renewal)] = A_row_that_fails_a_statement_fails_only_its_own_renewal,
        [nameof(Others_are_not_written_in_the_context_of_the_first)] = Others_are_not_written_in_the_context_of_the_first,
        [nameof(Whatever_comes_leaves_locks_and_fails_each_renewal_hears_its_own_answer)] = Whatever_comes_leaves_locks_and_fails_each_renewal_hears_its_own_answer,
    };

    private static PostgresRenewal NewRenewal(RowKind kind = RowKind.Held) => new(IdOf(Guid.NewGuid().ToString()), (long)kind + 1, TimeSpan.FromSeconds(30));

    private static IdempotencyId IdOf(string name) => IdempotencyKey.Shared(name).ToId();

    public static TheoryData<string> Names => [.. Checks.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public Task Renewals_that_go_together_keep(string check) => Checks[check](static () => new(static d => d.NewRenewals().RenewAsync));

    [Theory]
    [MemberData(nameof(Names))]
    public Task The_queue_that_flaws_are_planted_in_has_none_of_its_own(string check) => Checks[check](static () => new(static d => new FlawedRenewals(d, Flaw.None).RenewAsync));

    [Theory]
    [InlineData(nameof(Flaw.AnswersByArrival))]
    [InlineData(nameof(Flaw.LockedIsLost))]
    [InlineData(nameof(Flaw.LockedHoldsUp))]
    [InlineData(nameof(Flaw.OneFailsAll))]
    [InlineData(nameof(Flaw.OutageIsAskedAgain))]
    [InlineData(nameof(Flaw.IdTwice))]
    [InlineData(nameof(Flaw.SendsForThoseThatLeft))]
    [InlineData(nameof(Flaw.OneThatLeavesEndsAll))]
    [InlineData(nameof(Flaw.ForgetsTheRest))]
    [InlineData(nameof(Flaw.NoBound))]
    [InlineData(nameof(Flaw.NeverOvertakes))]
    [InlineData(nameof(Flaw.KeepsTheContext))]
    public async Task A_planted_flaw_in_the_queue_of_renewals_is_found(string flaw)
    {
        List<string> found = [];
        foreach ((string name, Func<Func<Database>, Task> check) in Checks)
        {
            try
            {
                await check(() => new(d => new FlawedRenewals(d, Enum.Parse<Flaw>(flaw)).RenewAsync) { Bound = TimeSpan.FromSeconds(1) });
            }
            catch (Exception)
            {
                found.Add(name);
                break;
            }
        }

        found.Should().NotBeEmpty();
    }

    private static async Task The_first_renewal_goes_at_once_and_those_that_come_meanwhile_go_together(Func<Database> make)
    {
        Database database = make();
        Task<bool>[] all = [.. Enumerable.Range(0, 200).Select(_ => database.RenewAsync(NewRenewal()))];

        database.Statements.Should().ContainSingle().Which.Asked.Should().ContainSingle();
        database.Statements[0].Finish();
        Statement together = await database.StatementAsync(1);
        together.Asked.Should().HaveCount(199);
        together.Finish();

        (await Task.WhenAll(all).WaitAsync(database.Bound)).Should().AllBeEquivalentTo(true);
        Task<bool> later = database.RenewAsync(NewRenewal());
        (await database.StatementAsync(2)).Finish();
        (await later.WaitAsync(database.Bound)).Should().BeTrue("and afterwards the next goes at once again");
    }

    private static async Task A_statement_holds_no_more_than_so_many_and_the_rest_comes_next(Func<Database> make)
    {
        Database database = make();
        int count = 1 + (2 * PostgresRenewals.MaxTogether) + 7;
        Task<bool>[] all = [.. Enumerable.Range(0, count).Select(_ => database.RenewAsync(NewRenewal()))];
        for (int i = 0; i < 4; i++) (await database.StatementAsync(i)).Finish();
        (await Task.WhenAll(all).WaitAsync(database.Bound)).Should().AllBeEquivalentTo(true);
        database.Statements.Select(s => s.Asked.Count).Should().Equal(1, PostgresRenewals.MaxTogether, PostgresRenewals.MaxTogether, 7);
    }

    private static async Task Each_hears_its_own_answer_and_a_locked_row_is_asked_about_apart(Func<Database> make)
    {
        Database database = make();
        Task<bool> first = database.RenewAsync(NewRenewal());
        RowKind[] kinds = [RowKind.Lost, RowKind.Held, RowKind.Locked, RowKind.Held, RowKind.Lost];
        Task<bool>[] all = [.. kinds.Select(k => database.RenewAsync(NewRenewal(k)))];
        database.Statements[0].Finish();
        (await database.StatementAsync(1)).Finish();
        for (int i = 0; i < all.Length; i++)
        {
            if (kinds[i] != RowKind.Locked) (await all[i].WaitAsync(database.Bound)).Should().Be(kinds[i] == RowKind.Held, "{0} is {1}", i, kinds[i]);
        }

        Statement apart = await database.StatementAsync(2);
        apart.Asked.Should().ContainSingle();
        all[2].IsCompleted.Should().BeFalse("a transaction is at the row");
        Task<bool> next = database.RenewAsync(NewRenewal());
        (await database.StatementAsync(3)).Finish();
        (await next.WaitAsync(database.Bound)).Should().BeTrue("nothing waits for the one that is apart");
        apart.Finish();
        (await all[2].WaitAsync(database.Bound)).Should().BeTrue();
        (await first).Should().BeTrue();
    }

    private static async Task A_statement_that_hangs_holds_up_no_other_renewal(Func<Database> make)
    {
        Database database = make();
        Task<bool> hangs = database.RenewAsync(NewRenewal());
        Task<bool>[] all = [.. Enumerable.Range(0, 3).Select(_ => database.RenewAsync(NewRenewal()))];
        database.Time.Advance(PostgresRenewals.Patience - TimeSpan.FromMilliseconds(1));
        database.Statements.Should().ContainSingle("it is still waited for");
        database.Time.Advance(TimeSpan.FromMilliseconds(1));
        Statement second = await database.StatementAsync(1);
        second.Asked.Should().HaveCount(3);

        // The second hangs as well; and what overflows has waited from its beginning.
        Task<bool>[] third = [.. Enumerable.Range(0, 2).Select(_ => database.RenewAsync(NewRenewal()))];
        database.Time.Advance(PostgresRenewals.Patience);
        (await database.StatementAsync(2)).Finish();
        (await Task.WhenAll(third).WaitAsync(database.Bound)).Should().AllBeEquivalentTo(true);
        second.Finish();
        (await Task.WhenAll(all).WaitAsync(database.Bound)).Should().AllBeEquivalentTo(true);
        hangs.IsCompleted.Should().BeFalse();
        database.Statements[0].Finish();
        (await hangs.WaitAsync(database.Bound)).Should().BeTrue();
        database.Statements.Should().HaveCount(3);
    }

    private static async Task Where_more_wait_than_one_statement_holds_a_hanging_one_is_overtaken_too(Func<Database> make)
    {
        Database database = make();
        Task<bool>[] all = [.. Enumerable.Range(0, PostgresRenewals.MaxTogether + 2).Select(_ => database.RenewAsync(NewRenewal()))];
        database.Statements[0].Finish();
        await database.StatementAsync(1);
        database.Time.Advance(PostgresRenewals.Patience); // none has come meanwhile: one is left over
        (await database.StatementAsync(2)).Finish();
        (await all[^1].WaitAsync(database.Bound)).Should().BeTrue();
        database.Statements[1].Finish();
        await Task.WhenAll(all).WaitAsync(database.Bound);
    }

    private static async Task A_statement_holds_an_id_once_and_the_second_renewal_of_it_comes_after_the_first(Func<Database> make)
    {
        Database database = make();
        Task<bool> first = database.RenewAsync(NewRenewal());
        PostgresRenewal renewed = NewRenewal(), ended = renewed with { Lease = TimeSpan.FromMicroseconds(1) };
        Task<bool>[] all =
        [
            .. new[] { renewed, NewRenewal(), ended }.Select(r => database.RenewAsync(r)),
        ];
        database.Statements[0].Finish();
        Statement second = await database.StatementAsync(1);
        second.Asked.Should().HaveCount(2).And.Contain(renewed).And.NotContain(ended);
        second.Finish();
        Statement third = await database.StatementAsync(2);
        third.Asked.Should().Equal(ended);
        third.Finish();
        await Task.WhenAll([first, .. all]).WaitAsync(database.Bound);
    }

    private static async Task A_caller_that_leaves_ends_only_its_own_wait(Func<Database> make)
    {
        Database database = make();
        using CancellationTokenSource early = new(), late = new(), other = new();
        Task<bool> first = database.RenewAsync(NewRenewal());
        PostgresRenewal withdrawn = NewRenewal();
        Task<bool> leavesEarly = database.RenewAsync(withdrawn, early.Token);
        Task<bool> leavesLate = database.RenewAsync(NewRenewal(), late.Token);
        Task<bool> stays = database.RenewAsync(NewRenewal(), other.Token);
        await early.CancelAsync();
        await FluentActions.Awaiting(() => leavesEarly.WaitAsync(database.Bound)).Should().ThrowAsync<OperationCanceledException>();
        database.Statements[0].Finish();
        Statement together = await database.StatementAsync(1);
        together.Asked.Should().HaveCount(2).And.NotContain(withdrawn, "what was not yet sent is not sent for a caller that has left");

        await late.CancelAsync();
        await FluentActions.Awaiting(() => leavesLate.WaitAsync(database.Bound)).Should().ThrowAsync<OperationCanceledException>();
        together.Token.IsCancellationRequested.Should().BeFalse("another one waits for it");
        await other.CancelAsync();
        await FluentActions.Awaiting(() => stays.WaitAsync(database.Bound)).Should().ThrowAsync<OperationCanceledException>();
        together.Token.IsCancellationRequested.Should().BeTrue("no caller waits for it");
        (await first.WaitAsync(database.Bound)).Should().BeTrue();
    }

    private static async Task When_all_that_waited_have_left_nothing_is_sent_for_them_and_the_next_goes_at_once(Func<Database> make)
    {
        Database database = make();
        using CancellationTokenSource gone = new();
        Task<bool> first = database.RenewAsync(NewRenewal());
        Task<bool>[] all = [.. Enumerable.Range(0, 5).Select(_ => database.RenewAsync(NewRenewal(), gone.Token))];
        await gone.CancelAsync();
        foreach (Task<bool> one in all) await FluentActions.Awaiting(() => one.WaitAsync(database.Bound)).Should().ThrowAsync<OperationCanceledException>();
        database.Statements[0].Finish();
        await first.WaitAsync(database.Bound);
        Task<bool> next = database.RenewAsync(NewRenewal());
        database.Statements.Should().HaveCount(2);
        database.Statements[1].Finish();
        (await next.WaitAsync(database.Bound)).Should().BeTrue();
    }

    private static async Task An_outage_is_told_to_all_of_a_statement_and_to_no_other(Func<Database> make)
    {
        Database database = make();
        Task<bool> first = database.RenewAsync(NewRenewal());
        Task<bool>[] all = [.. Enumerable.Range(0, 5).Select(_ => database.RenewAsync(NewRenewal()))];
        database.Statements[0].Finish();
        Statement fails = await database.StatementAsync(1);
        Task<bool> later = database.RenewAsync(NewRenewal());
        fails.Fail();
        foreach (Task<bool> one in all) await FluentActions.Awaiting(() => one.WaitAsync(database.Bound)).Should().ThrowAsync<OutageException>();
        (await database.StatementAsync(2)).Finish();
        (await later.WaitAsync(database.Bound)).Should().BeTrue();
        (await first).Should().BeTrue();
        database.Statements.Should().HaveCount(3, "an outage is not asked about one by one");
    }

    private static async Task A_row_that_fails_a_statement_fails_only_its_own_renewal(Func<Database> make)
    {
        const int Count = 100, broken = 3;
        Database database = make();
        Task<bool> first = database.RenewAsync(NewRenewal());
        Task<bool>[] all =
        [
            .. Enumerable.Range(0, Count).Select(i => database.RenewAsync(NewRenewal(i % 30 == 7 && i / 30 < broken ? RowKind.Broken : RowKind.Held))),
        ];
        database.EndsByItself = true;
        database.Statements[0].Finish();
        for (int i = 0; i < Count; i++)
        {
            if (i % 30 == 7 && i / 30 < broken) await FluentActions.Awaiting(() => all[i].WaitAsync(database.Bound)).Should().ThrowAsync<BadRowException>();
            else (await all[i].WaitAsync(database.Bound)).Should().BeTrue();
        }

        (await first).Should().BeTrue();
        database.Statements.Count.Should().BeLessThan(2 + (broken * 2 * 8), "halves find it");
    }

    private static async Task Others_are_not_written_in_the_context_of_the_first(Func<Database> make)
    {
        Database database = make();
        database.Ambient.Value = "the transaction of the first";
        Task<bool> first = database.RenewAsync(NewRenewal());
        Task<bool>[] all = [.. Enumerable.Range(0, 3).Select(_ => database.RenewAsync(NewRenewal()))];
        database.Statements[0].Finish();
        Statement together = await database.StatementAsync(1);
        database.Statements[0].SeenContext.Should().Be("the transaction of the first");
        together.SeenContext.Should().BeNull();
        together.Finish();
        await Task.WhenAll([first, .. all]).WaitAsync(database.Bound);
    }

    /// <summary>Random histories: callers come and leave, statements end in any order, well or not, and time passes.</summary>
    private static async Task Whatever_comes_leaves_locks_and_fails_each_renewal_hears_its_own_answer(Func<Database> make)
    {
        for (int seed = 0; seed < 200; seed++)
        {
            Random random = new(seed);
            Database database = make();
            List<(PostgresRenewal Asked, CancellationTokenSource Leaving, Task<bool> Answer)> callers = [];
            for (int step = 0; step < 40; step++)
            {
                switch (random.Next(10))
                {
                    case < 6:
                        int row = random.Next(12);
                        PostgresRenewal asked = new(IdOf($"{row}"), 1 + (row % 4), TimeSpan.FromMicroseconds(callers.Count + 1));
                        CancellationTokenSource leaving = new();
                        callers.Add((asked, leaving, database.RenewAsync(asked, leaving.Token)));
                        break;
                    case 6 when callers.Count > 0:
                        await callers[random.Next(callers.Count)].Leaving.CancelAsync();
                        break;
                    case 7:
                        database.Time.Advance(PostgresRenewals.Patience / 2);
                        break;
                    default:
                        database.EndOne(random);
                        break;
                }
            }

            long start = TimeProvider.System.GetTimestamp();
            while (callers.Any(c => !c.Answer.IsCompleted))
            {
                database.EndOne(random);
                if (TimeProvider.System.GetElapsedTime(start) > database.Bound) throw new TimeoutException("A renewal waits although every statement has ended.");
                await Task.Yield();
            }

            foreach ((PostgresRenewal asked, CancellationTokenSource leaving, Task<bool> answer) in callers)
            {
                if (answer.IsCanceled) leaving.IsCancellationRequested.Should().BeTrue("only a caller that leaves is cancelled");
                else if (answer.Exception?.InnerException is OutageException) database.HadOutage(asked).Should().BeTrue();
                else if (answer.IsFaulted) (answer.Exception!.InnerException is BadRowException, KindOf(asked)).Should().Be((true, RowKind.Broken));
                else (answer.Result, KindOf(asked)).Should().BeOneOf((true, RowKind.Held), (true, RowKind.Locked), (false, RowKind.Lost));
                leaving.Dispose();
            }

            foreach (Statement statement in database.Statements)
                statement.Asked.Select(a => a.Id).Should().OnlyHaveUniqueItems().And.HaveCountLessThanOrEqualTo(PostgresRenewals.MaxTogether);
        }
    }

    private static RowKind KindOf(PostgresRenewal asked) => (RowKind)(asked.Fence - 1);

    /// <summary>What a row is; the fence says it.</summary>
    private enum RowKind
    {
        Held,
        Lost,
        Locked,
        Broken,
    }

    private sealed class OutageException : Exception;

    private sealed class BadRowException : Exception;

    /// <summary>A statement that is under way.</summary>
    private sealed class Statement(IReadOnlyList<PostgresRenewal> asked, bool isAlone, string? seenContext, CancellationToken token)
    {
        private readonly TaskCompletionSource<bool?[]> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal IReadOnlyList<PostgresRenewal> Asked => asked;

        internal CancellationToken Token => token;

        internal string? SeenContext => seenContext;

        internal bool HasFailed { get; private set; }

        internal bool IsOpen => !_ended.Task.IsCompleted;

        internal async Task<bool?[]> RunAsync() => await _ended.Task.WaitAsync(token);

        internal void Fail()
        {
            HasFailed = true;
            _ended.TrySetException(new OutageException());
        }

        internal void Finish()
        {
            if (asked.Any(a => KindOf(a) == RowKind.Broken)) _ended.TrySetException(new BadRowException());
            else _ended.TrySetResult([.. asked.Select(a => KindOf(a) == RowKind.Locked && !isAlone ? (bool?)null : KindOf(a) != RowKind.Lost)]);
        }
    }

    private sealed class Database
    {
        private readonly List<Statement> _statements = [];
        private readonly SemaphoreSlim _came = new(0);
        private readonly Func<PostgresRenewal, CancellationToken, ValueTask<bool>> _renew;

        internal Database(Func<Database, Func<PostgresRenewal, CancellationToken, ValueTask<bool>>> make) => _renew = make(this);

        internal FakeTimeProvider Time { get; } = new();

        internal AsyncLocal<string?> Ambient { get; } = new();

        internal TimeSpan Bound { get; init; } = TimeSpan.FromSeconds(60);

        internal volatile bool EndsByItself;

        internal IReadOnlyList<Statement> Statements
        {
            get
            {
                lock (_statements) return [.. _statements];
            }
        }

        internal PostgresRenewals NewRenewals() => new(AskOneAsync, AskSeveralAsync, static e => e is BadRowException, Time);

        internal Task<bool> RenewAsync(PostgresRenewal asked, CancellationToken token = default) => _renew(asked, token).AsTask();

        internal async ValueTask<bool> AskOneAsync(PostgresRenewal asked, CancellationToken token) => (await NewAsync([asked], true, token))[0]!.Value;

        internal async ValueTask<bool?[]> AskSeveralAsync(IReadOnlyList<PostgresRenewal> asked, CancellationToken token) => await NewAsync(asked, false, token);

        internal async Task<Statement> StatementAsync(int number)
        {
            using CancellationTokenSource limit = new(Bound);
            while (Statements.Count <= number) await _came.WaitAsync(limit.Token);
            return Statements[number];
        }

        internal bool HadOutage(PostgresRenewal asked) => Statements.Any(s => s.HasFailed && s.Asked.Contains(asked));

        internal void EndOne(Random random)
        {
            Statement[] open = [.. Statements.Where(s => s.IsOpen)];
            if (open.Length == 0) return;
            Statement one = open[random.Next(open.Length)];
            if (random.Next(8) == 0) one.Fail();
            else one.Finish();
        }

        private Task<bool?[]> NewAsync(IReadOnlyList<PostgresRenewal> asked, bool isAlone, CancellationToken token)
        {
            Statement statement = new(asked, isAlone, Ambient.Value, token);
            lock (_statements) _statements.Add(statement);
            _came.Release();
            if (EndsByItself) statement.Finish();
            return statement.RunAsync();
        }
    }

    private enum Flaw
    {
        None,
        AnswersByArrival,
        LockedIsLost,
        LockedHoldsUp,
        OneFailsAll,
        OutageIsAskedAgain,
        IdTwice,
        SendsForThoseThatLeft,
        OneThatLeavesEndsAll,
        ForgetsTheRest,
        NoBound,
        NeverOvertakes,
        KeepsTheContext,
    }

    /// <summary>A plain queue with one flaw.</summary>
    private sealed class FlawedRenewals(Database database, Flaw flaw)
    {
        private readonly Lock _gate = new();
        private readonly List<(PostgresRenewal Asked, CancellationToken Token, TaskCompletionSource<bool> Answer)> _waiting = [];
        private int _turn; // odd while a statement is under way

        internal async ValueTask<bool> RenewAsync(PostgresRenewal asked, CancellationToken token)
        {
            TaskCompletionSource<bool> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
            int turn;
            bool isBusy, isFirst;
            lock (_gate)
            {
                isBusy = _turn % 2 == 1;
                if (!isBusy) _turn++;
                turn = _turn;
                isFirst = _waiting.Count == 0;
                if (isBusy) _waiting.Add((asked, token, answer));
            }

            if (isBusy)
            {
                if (isFirst && flaw != Flaw.NeverOvertakes) _ = OvertakeAsync(turn);
                return await answer.Task.WaitAsync(token);
            }

            try
            {
                return await database.AskOneAsync(asked, token);
            }
            finally
            {
                Next(turn);
            }
        }

        private async Task OvertakeAsync(int turn)
        {
            await Task.Delay(PostgresRenewals.Patience, database.Time);
            Next(turn);
        }

        private void Next(int turn)
        {
            List<(PostgresRenewal Asked, CancellationToken Token, TaskCompletionSource<bool> Answer)> taken = [];
            bool someStay;
            lock (_gate)
            {
                if (_turn != turn) return;
                if (flaw != Flaw.SendsForThoseThatLeft) _waiting.RemoveAll(w => w.Token.IsCancellationRequested);
                foreach (var waiting in _waiting)
                {
                    if ((flaw == Flaw.NoBound || taken.Count < PostgresRenewals.MaxTogether)
                        && (flaw == Flaw.IdTwice || taken.TrueForAll(t => t.Asked.Id != waiting.Asked.Id))) taken.Add(waiting);
                }

                if (flaw == Flaw.ForgetsTheRest) _waiting.Clear();
                else _waiting.RemoveAll(taken.Contains);
                _turn += taken.Count == 0 ? 1 : 2;
                turn = _turn;
                someStay = _waiting.Count > 0;
            }

            if (taken.Count == 0) return;
            if (someStay && flaw != Flaw.NeverOvertakes) _ = OvertakeAsync(turn);
            if (flaw == Flaw.KeepsTheContext) ThreadPool.QueueUserWorkItem(_ => _ = SendAsync(taken, turn));
            else ThreadPool.UnsafeQueueUserWorkItem(_ => _ = SendAsync(taken, turn), null);
        }

        private async Task SendAsync(List<(PostgresRenewal Asked, CancellationToken Token, TaskCompletionSource<bool> Answer)> taken, int turn)
        {
            await AskAsync(taken);
            Next(turn);
        }

        private async Task AskAsync(List<(PostgresRenewal Asked, CancellationToken Token, TaskCompletionSource<bool> Answer)> taken)
        {
            try
            {
                if (taken.Count == 1)
                {
                    taken[0].Answer.TrySetResult(await database.AskOneAsync(taken[0].Asked, taken[0].Token));
                    return;
                }

                CancellationTokenSource allLeft = new();
                int left = 0;
                foreach (var one in taken)
                {
                    one.Token.UnsafeRegister(
                        _ =>
                        {
                            if (Interlocked.Increment(ref left) == taken.Count || flaw == Flaw.OneThatLeavesEndsAll) allLeft.Cancel();
                        },
                        null);
                }

                bool?[] answers = await database.AskSeveralAsync([.. taken.Select(t => t.Asked)], allLeft.Token);
                if (flaw == Flaw.AnswersByArrival) answers = [.. answers.OrderBy(a => a)];
                for (int i = 0; i < taken.Count; i++)
                {
                    if (answers[i] is { } known) taken[i].Answer.TrySetResult(known);
                    else if (flaw == Flaw.LockedIsLost) taken[i].Answer.TrySetResult(false);
                    else if (flaw == Flaw.LockedHoldsUp) await AskAsync([taken[i]]);
                    else _ = AskAsync([taken[i]]);
                }
            }
            catch (Exception e) when (taken.Count > 1 && (flaw == Flaw.OutageIsAskedAgain || (e is BadRowException && flaw != Flaw.OneFailsAll)))
            {
                int half = taken.Count / 2;
                await Task.WhenAll(AskAsync(taken[..half]), AskAsync(taken[half..]));
            }
            catch (Exception e)
            {
                foreach (var one in taken) one.Answer.TrySetException(e);
            }
        }
    }
}

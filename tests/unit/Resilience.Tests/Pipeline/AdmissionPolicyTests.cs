namespace Resilience.Tests.Pipelines;

/// <summary>A policy at the door: what it may do, and what happens when it does it badly.</summary>
public sealed class AdmissionPolicyTests
{
    private sealed class Closed() : Rejection("door")
    {
        public override string Reason => "It is closed.";

        public override ResilienceException ToException() => new(this);
    }

    private sealed class Door : AdmissionPolicy
    {
        internal Func<string?, bool> IsOpen { get; set; } = static _ => true;

        internal Action Leaving { get; set; } = static () => { };

        internal List<(Verdict Verdict, long Ticket, string? Operation)> Left { get; } = [];

        protected override Rejection? TryEnter(AdmissionCall call, ref long ticket)
        {
            ticket = 7 + call.Attempt;
            return IsOpen(call.Operation) ? null : new Closed();
        }

        protected override void Exit(AdmissionCall call, Verdict verdict, long ticket)
        {
            Left.Add((verdict, ticket, call.Operation));
            Leaving();
        }
    }

    private static ResiliencePipeline Pipeline(Door door) => new ResiliencePipelineBuilder().AddRetry(o => o.BaseDelay = TimeSpan.Zero).AddPolicy(door).Build();

    [Fact]
    public async Task Each_call_that_goes_in_comes_out_once_with_its_ticket_and_its_verdict()
    {
        Door door = new();
        ResiliencePipeline pipeline = Pipeline(door);
        (await pipeline.ExecuteAsync(static _ => new ValueTask<int>(1))).Should().Be(1);
        int runs = 0;
        (await pipeline.ExecuteAsync(async _ =>
        {
            await Task.Yield();
            return ++runs == 1 ? throw new IOException() : 2;
        })).Should().Be(2);
        (await pipeline.TryExecuteAsync(static _ => ValueTask.FromException<int>(new OperationCanceledException()))).Verdict.Should().NotBe(Verdict.Success);
        door.Left.Take(3).Should().Equal((Verdict.Success, 7, null), (Verdict.Failure, 7, null), (Verdict.Success, 8, null));
        door.Left.Should().HaveCountGreaterThan(3).And.OnlyContain(l => l.Ticket >= 7);
    }

    [Fact]
    public async Task A_call_that_is_rejected_does_not_come_out()
    {
        Door door = new() { IsOpen = static _ => false };
        Outcome<int> outcome = await Pipeline(door).TryExecuteAsync(static _ => new ValueTask<int>(1));
        (outcome.Verdict, outcome.Rejection!.Reason).Should().Be((Verdict.Rejected, "It is closed."));
        door.Left.Should().BeEmpty();
    }

    [Fact]
    public async Task What_it_throws_at_the_door_ends_the_call_and_is_not_repeated_and_what_it_throws_afterwards_changes_nothing()
    {
        Door door = new() { IsOpen = static _ => throw new FormatException() };
        ResiliencePipeline pipeline = Pipeline(door);
        int runs = 0;
        Outcome<int> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(++runs));
        (outcome.Verdict, runs, door.Left.Count).Should().Be((Verdict.Ignored, 0, 0));
        outcome.Exception.Should().BeOfType<FormatException>();

        door.IsOpen = static _ => true;
        door.Leaving = static () => throw new FormatException();
        (await pipeline.ExecuteAsync(_ => new ValueTask<int>(++runs))).Should().Be(1);
        (await pipeline.ExecuteAsync(async _ =>
        {
            await Task.Yield();
            return ++runs;
        })).Should().Be(2);
        door.Left.Should().HaveCount(2);
    }
}

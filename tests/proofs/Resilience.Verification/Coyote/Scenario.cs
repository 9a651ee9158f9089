using Microsoft.Coyote.Specifications;

namespace Resilience.Verification.Coyote;

/// <summary>One operation for each thread, from one situation.</summary>
internal sealed record Scenario(Situation Situation, Operation[] Operations, Flaw? Planted = null)
{
    /// <summary>Every ordered pair from every situation: the first thread holds the probe where there is one, the second a permit of the past.</summary>
    internal static IEnumerable<Scenario> Pairs(Situation situation) =>
        from first in Enum.GetValues<Operation>()
        from second in Enum.GetValues<Operation>()
        select new Scenario(situation, [first, second]);

    /// <summary>Every three operations from every situation. Threads whose permits are alike may change places, so of their operations only one order is
    /// kept: all schedules of all three are run anyway. A thread that holds a probe is like no other.</summary>
    internal static IEnumerable<Scenario> Triples(Situation situation)
    {
        int probes = situation switch
        {
            Situation.ProbeOut or Situation.ProbeLost => 1,
            Situation.TwoProbesOut => 2,
            _ => 0,
        };
        return
            from first in Enum.GetValues<Operation>()
            from second in Enum.GetValues<Operation>()
            where probes > 0 || second >= first
            from third in Enum.GetValues<Operation>()
            where probes > 1 || third >= second
            select new Scenario(situation, [first, second, third]);
    }

    public override string ToString() => $"{Situation}: {string.Join(" and ", Operations)}";

    /// <summary>The scenario as a body for the explorer. What it answers must be what some order, one after the other, answers.</summary>
    internal Action Body()
    {
        HashSet<string> inSomeOrder = [.. Orders(Operations.Length).Select(InOrder)];
        return () =>
        {
            Stage stage = new(Situation, Operations, Planted);
            Threads.Run([.. Enumerable.Range(0, Operations.Length).Select(thread => (Action)(() => stage.Perform(thread)))]);
            string outcome = stage.Outcome;
            bool isPossible = inSomeOrder.Contains(outcome);
            Specification.Assert(isPossible, "{0}: no order of the operations answers {1}; possible: {2}", this, outcome, string.Join(" or ", inSomeOrder));
            string? complaint = stage.Complaint();
            Specification.Assert(complaint is null, "{0}: {1}", this, complaint);
        };
    }

    private string InOrder(int[] order)
    {
        Stage stage = new(Situation, Operations, Planted is null ? null : Flaw.None);
        foreach (int thread in order) stage.Perform(thread);
        return stage.Outcome;
    }

    private static IEnumerable<int[]> Orders(int count) => count == 1
        ? [[0]]
        : from shorter in Orders(count - 1)
          from place in Enumerable.Range(0, count)
          select (int[])[.. shorter[..place], count - 1, .. shorter[place..]];
}

internal static class Threads
{
    /// <summary>All at once; returns when all are done.</summary>
    internal static void Run(params Action[] bodies)
    {
        Task[] others = [.. bodies.Skip(1).Select(body => Task.Run(body))];
        bodies[0]();
        Task.WaitAll(others);
    }
}

namespace Resilience.Suspended.Benchmarks;

/// <summary>One question: the same work bare, by the rival and by us.</summary>
/// <param name="Name">What is asked.</param>
/// <param name="Calls">How many calls a turn makes.</param>
/// <param name="Bare">The work without a pipeline.</param>
/// <param name="Theirs">With the rival's; null where it has nothing like it.</param>
/// <param name="Ours">With ours.</param>
internal sealed record Row(string Name, int Calls, Func<int, Task> Bare, Func<int, Task>? Theirs, Func<int, Task> Ours);

/// <summary>What one contestant took in one round, for a call.</summary>
internal readonly record struct Sample(double Nanoseconds, double Bytes);

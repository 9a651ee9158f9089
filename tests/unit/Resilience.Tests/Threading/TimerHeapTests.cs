using CsCheck;

namespace Resilience.Tests.Threading;

/// <summary>The heap against a list that is sorted each time.</summary>
public sealed class TimerHeapTests
{
    private sealed class Work : TimedWork
    {
        internal override bool TryFire(long nowMs) => true;

        public override void Execute()
        {
        }
    }

    [Fact]
    public void Whatever_is_added_and_removed_it_gives_what_is_due_in_order_of_time() =>
        Gen.Select(Gen.Int[0, 2], Gen.Long[0, 20]).Array[0, 200].Sample(steps =>
    {
        TimerHeap heap = new();
        List<(TimedWork Work, long Due)> model = [];
        foreach ((int kind, long argument) in steps)
        {
            switch (kind)
            {
                case 0:
                    Work added = new();
                    heap.Add(added, argument);
                    model.Add((added, argument));
                    break;
                case 1 when model.Count > 0:
                    int index = (int)(argument % model.Count);
                    heap.Remove(model[index].Work);
                    heap.Remove(model[index].Work); // twice is harmless
                    model.RemoveAt(index);
                    break;
                default:
                    TimedWork? taken = heap.TakeDue(argument);
                    if (taken is null)
                    {
                        if (model.Exists(m => m.Due <= argument)) return false;
                        break;
                    }

                    int found = model.FindIndex(m => ReferenceEquals(m.Work, taken));
                    if (found < 0 || model[found].Due > argument || model.Exists(m => m.Due < model[found].Due) || taken.HeapIndex != -1) return false;
                    model.RemoveAt(found);
                    break;
            }

            if (heap.Count != model.Count || heap.EarliestMs != (model.Count == 0 ? Clock.Never : model.Min(m => m.Due))) return false;
        }

        return true;
    }, iter: 5_000);
}

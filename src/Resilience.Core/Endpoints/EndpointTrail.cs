namespace Resilience.Overload;

/// <summary>Which endpoints a call has tried: shared by all its attempts, which may run beside each other.</summary>
internal sealed class EndpointTrail
{
    internal static readonly ResilienceProperty<EndpointTrail> Property = new("endpoints tried");

    private Step? _last;

    /// <summary>An attempt and its endpoint.</summary>
    internal sealed class Step(EndpointPick pick, Step? before)
    {
        private int _isOver;

        internal EndpointPick Pick => pick;

        internal Step? Before => before;

        internal bool IsOver
        {
            get => Volatile.Read(ref _isOver) != 0;
            set => Volatile.Write(ref _isOver, value ? 1 : 0); // release: an attempt that sees it over is a retry and no hedge
        }
    }

    internal Step? Last => Volatile.Read(ref _last); // acquire: pairs with the compare-and-swap in Add

    internal Step Add(EndpointPick pick)
    {
        while (true)
        {
            Step? seen = Last;
            Step next = new(pick, seen);
            if (Interlocked.CompareExchange(ref _last, next, seen) == seen) return next; // full fence: attempts beside each other are all in it
        }
    }
}

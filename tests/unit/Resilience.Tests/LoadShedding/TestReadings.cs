namespace Resilience.Tests.LoadShedding;

/// <summary>A process that is as busy as a test says.</summary>
internal sealed class TestReadings : ProcessReadings
{
    private readonly Queue<IThreadPoolWorkItem> _held = [];

    internal override TimeSpan ProcessorTime => Used;

    internal TimeSpan Used { get; set; }

    internal override int Processors => Count;

    internal int Count { get; set; } = 1;

    internal override double MemoryLoad => Memory;

    internal double Memory { get; set; }

    internal bool HoldsWork { get; set; }

    internal override void Queue(IThreadPoolWorkItem work)
    {
        if (HoldsWork) _held.Enqueue(work);
        else work.Execute();
    }

    internal void Release()
    {
        HoldsWork = false;
        while (_held.TryDequeue(out IThreadPoolWorkItem? work)) work.Execute();
    }
}

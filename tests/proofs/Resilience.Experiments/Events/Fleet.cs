using Resilience.Overload;

namespace Resilience.Experiments;

/// <summary>Many clients, each with a gate of its own, before one server that admits some and rejects the rest, or queues without end.</summary>
internal sealed class Fleet : IOccurrence, IGateOwner
{
    private const int Servers = 20;
    private const double Length = 1200;
    private const double RejectionTime = 0.002;
    private const int Arrival = -1;
    private readonly EventWorld _world = new();
    private readonly Chance _chance;
    private readonly Gate[] _gates;
    private readonly int _admits;
    private readonly double _perSecond;
    private readonly List<Call> _calls = [];
    private readonly Stack<Call> _free = new();
    private readonly Queue<Call> _line = new();
    private readonly HashSet<int> _rejected = [];
    private int _present, _busy;

    private Fleet(long seed, int clients, double perSecond, int admits, Func<EventWorld, Chance, int, Gate> make)
    {
        (_chance, _perSecond, _admits) = (new(seed), perSecond, admits);
        _gates = [.. Enumerable.Range(0, clients).Select(i => make(_world, new(seed + (1000 * (i + 1))), i))];
        foreach (Gate gate in _gates) gate.Owner = this;
        ServedOf = new long[clients];
    }

    /// <summary>Of the second half, by client.</summary>
    internal long[] ServedOf { get; }

    internal long Arrived { get; private set; }

    internal long Sent { get; private set; }

    internal long RejectedByServer { get; private set; }

    internal Latencies Latencies { get; } = new();

    internal double Goodput => ServedOf.Sum() / (Length / 2);

    internal double SumOfLimits => _gates.Sum(g => g.Limit);

    /// <summary>Jain's index of fairness: 1 when all are served alike.</summary>
    internal double Fairness => Math.Pow(ServedOf.Sum(), 2) / (ServedOf.Length * ServedOf.Sum(s => (double)s * s));

    private bool IsCounted => _world.Seconds > Length / 2;

    /// <param name="seed">All chance follows from it.</param>
    /// <param name="clients">How many.</param>
    /// <param name="perSecond">Calls a second, of all together.</param>
    /// <param name="admits">How many the server has at once, with those that wait; more are rejected within 2 ms.</param>
    /// <param name="make">The gate of a client.</param>
    internal static Fleet Run(long seed, int clients, double perSecond, int admits, Func<EventWorld, Chance, int, Gate> make)
    {
        Fleet fleet = new(seed, clients, perSecond, admits, make);
        fleet._world.After(0, fleet, Arrival);
        fleet._world.RunUntil(Length);
        return fleet;
    }

    public void Occur(int data)
    {
        if (data == Arrival)
        {
            Arrive();
            return;
        }

        Call call = _calls[data];
        bool isRejection = _rejected.Remove(data);
        if (!isRejection)
        {
            _present--;
            _busy--;
            if (_line.TryDequeue(out Call? next)) Serve(next);
            if (IsCounted)
            {
                ServedOf[call.Client]++;
                Latencies.Add(_world.Now - call.BegunAt);
            }
        }

        _gates[call.Client].Leave(call, isRejection ? CallEnd.Overload : CallEnd.Success);
        _free.Push(call);
    }

    private void Arrive()
    {
        _world.After(_chance.Exponential(1 / _perSecond), this, Arrival);
        if (!_free.TryPop(out Call? call)) _calls.Add(call = new() { Id = _calls.Count });
        call.Client = (int)(_chance.NextDouble() * _gates.Length);
        call.Criticality = Criticality.CriticalPlus; // of one class: the shares of the others are not the question
        call.ArrivedAt = _world.Now;
        if (IsCounted) Arrived++;
        _gates[call.Client].Enter(call);
    }

    void IGateOwner.Begin(Call call)
    {
        call.BegunAt = _world.Now;
        if (IsCounted) Sent++;
        if (_present >= _admits)
        {
            if (IsCounted) RejectedByServer++;
            _rejected.Add(call.Id);
            _world.After(RejectionTime, this, call.Id);
            return;
        }

        _present++;
        if (_busy < Servers) Serve(call);
        else _line.Enqueue(call);
    }

    void IGateOwner.Reject(Call call) => _free.Push(call);

    private void Serve(Call call)
    {
        _busy++;
        _world.After(_chance.Exponential(0.05), this, call.Id);
    }
}

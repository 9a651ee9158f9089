using Resilience.Overload;

namespace Resilience.Experiments;

/// <summary>One server behind one gate: calls come at random, are let in or not, wait in line for one of the servers, and are served.</summary>
internal sealed class Server : IOccurrence, IGateOwner
{
    private const int Arrival = -1;
    private const int Second = -2;

    private readonly EventWorld _world;
    private readonly Scenario _scenario;
    private readonly Gate _gate;
    private readonly Chance _arrivals, _work;
    private readonly RunResult _outcome;
    private readonly List<Call> _calls = [];
    private readonly Stack<Call> _free = new();
    private readonly Queue<Call> _line = new();
    private readonly long _tail;
    private int _busy, _second;
    private double _limits, _met;

    private Server(EventWorld world, Scenario scenario, Gate gate, long seed)
    {
        (_world, _scenario, _gate) = (world, scenario, gate);
        (_arrivals, _work) = (new(seed), new(seed ^ 0x5EED));
        _outcome = new((int)scenario.Length);
        _tail = (long)(scenario.Length * 0.8 * TimeSpan.TicksPerSecond);
        gate.Owner = this;
    }

    /// <summary>Runs a scenario from its beginning to its end.</summary>
    /// <param name="scenario">What happens.</param>
    /// <param name="seed">All chance follows from it.</param>
    /// <param name="make">Makes the gate in the world of the experiment.</param>
    internal static RunResult Run(Scenario scenario, long seed, Func<EventWorld, Chance, Gate> make)
    {
        EventWorld world = new();
        Server server = new(world, scenario, make(world, new(seed ^ 0x6A7E)), seed);
        server.WaitForNext();
        world.After(1, server, Second);
        world.RunUntil(scenario.Length);
        return server._outcome;
    }

    public void Occur(int data)
    {
        if (data == Arrival) Arrive();
        else if (data == Second) EndSecond();
        else if (data < 0) End(_calls[-3 - data], CallEnd.Overload, hadServer: false);
        else End(_calls[data], CallEnd.Success, hadServer: true);
    }

    private void WaitForNext() => _world.After(_arrivals.Exponential(1 / _scenario.Load(_world.Seconds)), this, Arrival);

    private void Arrive()
    {
        WaitForNext();
        if (_second >= _outcome.Seconds) return;
        Call call = _free.TryPop(out Call? used) ? used : Make();
        call.Criticality = Draw();
        call.ArrivedAt = _world.Now;
        _outcome.Arrived[_second]++;
        _outcome.ArrivedOf[_second, (int)call.Criticality]++;
        _limits += _gate.Limit;
        _met++;
        _gate.Enter(call);
    }

    private Criticality Draw()
    {
        if (_scenario.Classes is not { } classes) return Criticality.Critical;
        double drawn = _arrivals.NextDouble();
        for (int i = 0; i < classes.Length - 1; i++)
        {
            if ((drawn -= classes[i]) < 0) return Criticality.CriticalPlus - i;
        }

        return Criticality.CriticalPlus - (classes.Length - 1);
    }

    void IGateOwner.Begin(Call call)
    {
        call.BegunAt = _world.Now;
        if (_world.Seconds >= _scenario.Hangs.From && _world.Seconds < _scenario.Hangs.Until)
        {
            _world.After(_scenario.Timeout, this, -3 - call.Id);
            return;
        }

        _line.Enqueue(call);
        Serve();
    }

    void IGateOwner.Reject(Call call)
    {
        if (_second < _outcome.Seconds) _outcome.Rejected[_second]++;
        _free.Push(call);
    }

    private void Serve()
    {
        while (_line.Count > 0 && _busy < _scenario.Servers(_world.Seconds))
        {
            Call next = _line.Dequeue();
            _busy++;
            _world.After(_scenario.Service(_work, _world.Seconds), this, next.Id);
        }
    }

    private void End(Call call, CallEnd end, bool hadServer)
    {
        if (hadServer)
        {
            _busy--;
            Serve();
        }

        if (end == CallEnd.Success) Count(call);
        _gate.Leave(call, end);
        _free.Push(call);
    }

    private void Count(Call call)
    {
        if (_second >= _outcome.Seconds) return;
        _outcome.Served[_second]++;
        _outcome.ServedOf[_second, (int)call.Criticality]++;
        long latency = _world.Now - call.BegunAt;
        if (_world.Now >= _tail) _outcome.Handler.Add(latency);
        _outcome.HandlerInAll.Add(latency);
        _outcome.WithWaiting.Add(_world.Now - call.ArrivedAt);
    }

    private void EndSecond()
    {
        _outcome.Limits[_second] = _gate.Limit;
        _outcome.MeanLimits[_second] = _met == 0 ? _gate.Limit : _limits / _met;
        (_limits, _met) = (0, 0);
        if (++_second < _outcome.Seconds) _world.After(1, this, Second);
        Serve(); // more servers than before
    }

    private Call Make()
    {
        Call call = new() { Id = _calls.Count };
        _calls.Add(call);
        return call;
    }
}

namespace Resilience.Testing;

/// <summary>Values that a simulation reads at the end of each interval.</summary>
internal sealed class Gauges
{
    private readonly List<(Func<double> Read, List<double> Values)> _gauges = [];
    private readonly Dictionary<string, IReadOnlyList<double>> _values = [];

    internal IReadOnlyDictionary<string, IReadOnlyList<double>> Values => _values;

    internal void Add(string name, Func<double> read)
    {
        List<double> values = [];
        if (!_values.TryAdd(name, values)) throw new ArgumentException($"There is a gauge named '{name}' already.", nameof(name));
        _gauges.Add((read, values));
    }

    internal void Begin(VirtualTime time, TimeSpan interval, TimeSpan until)
    {
        if (_gauges.Count == 0) return;
        ITimer? timer = null;
        timer = time.CreateWorldTimer(_ => Read(), interval);

        void Read()
        {
            foreach ((Func<double> read, List<double> values) in _gauges) values.Add(read());
            if (time.Elapsed + interval > until) timer!.Dispose();
            else timer!.Change(interval, Timeout.InfiniteTimeSpan);
        }
    }
}

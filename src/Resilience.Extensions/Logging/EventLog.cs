using System.Collections;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Resilience.Events;

namespace Resilience;

/// <summary>Writes a line for each event of a pipeline, inside a scope with pipeline, operation, trace id and span id.</summary>
/// <remarks>The levels are such that at Information and above a retried attempt makes one line and a call that succeeds none.</remarks>
internal sealed class EventLog(ILogger users)
{
    /// <summary>The line of an event that has no number of its own.</summary>
    internal static readonly EventId OfOthers = new(23, "PolicyEvent");

    private readonly ILogger _logger = SafeLogger.Around(users);

    internal void Write(ResilienceEvent happened)
    {
        LogLevel level = LevelOf(happened);
        if (!_logger.IsEnabled(level)) return;
        using (_logger.BeginScope(new EventScope(happened.PipelineName, happened.Operation, Activity.Current)))
        {
            _logger.Log(level, IdOf(happened), new Line(happened), happened.GetException(), static (line, _) => line.ToString());
        }
    }

    private static LogLevel LevelOf(ResilienceEvent happened) => happened.GetLevel() switch
    {
        ResilienceEventLevel.Information => LogLevel.Information,
        ResilienceEventLevel.Warning => LogLevel.Warning,
        ResilienceEventLevel.Error => LogLevel.Error,
        _ => LogLevel.Debug,
    };

    private static EventId IdOf(ResilienceEvent happened) => happened.GetEventId() is var id && id != 0
        ? new(id, happened.GetType().Name)
        : OfOthers;

    /// <summary>What surrounds a line: structured for those who read structure, a sentence for those who do not.</summary>
    private sealed class EventScope : IReadOnlyList<KeyValuePair<string, object?>>
    {
        private readonly KeyValuePair<string, object?>[] _pairs;

        internal EventScope(string pipeline, string? operation, Activity? activity)
        {
            List<KeyValuePair<string, object?>> pairs = [new("Pipeline", pipeline)];
            if (operation is not null) pairs.Add(new("Operation", operation));
            if (activity is { IdFormat: ActivityIdFormat.W3C })
            {
                pairs.Add(new("TraceId", activity.TraceId.ToHexString()));
                pairs.Add(new("SpanId", activity.SpanId.ToHexString()));
            }

            _pairs = [.. pairs];
        }

        public int Count => _pairs.Length;

        public KeyValuePair<string, object?> this[int index] => _pairs[index];

        public IEnumerator<KeyValuePair<string, object?>> GetEnumerator() => _pairs.AsEnumerable().GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        public override string ToString() => string.Join(" ", _pairs.Select(p => $"{p.Key}:{p.Value}"));
    }

    /// <summary>A line: where it happened and what, as a sentence and as values.</summary>
    private sealed class Line : IReadOnlyList<KeyValuePair<string, object?>>
    {
        private readonly string _where;
        private readonly EventMessage _message;
        private readonly List<KeyValuePair<string, object?>> _values = [];

        internal Line(ResilienceEvent happened)
        {
            _message = happened.GetMessage();
            bool hasPipeline = happened.PipelineName.Length > 0;
            _where = hasPipeline ? $"{happened.PipelineName}/{happened.PolicyName}: " : $"{happened.PolicyName}: ";
            if (hasPipeline) _values.Add(new("Pipeline", happened.PipelineName));
            _values.Add(new("Policy", happened.PolicyName));
            _values.AddRange(_message.Values);
            _values.Add(new("{OriginalFormat}", (hasPipeline ? "{Pipeline}/{Policy}: " : "{Policy}: ") + _message.Template));
        }

        public int Count => _values.Count;

        public KeyValuePair<string, object?> this[int index] => _values[index];

        public IEnumerator<KeyValuePair<string, object?>> GetEnumerator() => _values.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        public override string ToString() => _where + _message;
    }
}

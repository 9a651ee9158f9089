using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace Resilience.Tests.Telemetry;

/// <summary>No event of ours escapes the log, and each line says to which trace it belongs.</summary>
public sealed class EventLogTests
{
    private sealed record UsersOwn(string PipelineName, string PolicyName) : ResilienceEvent(PipelineName, PolicyName);

    private sealed record Line(int Id, LogLevel Level, string Text, IReadOnlyDictionary<string, object?> Scope);

    private sealed class Lines : ILogger
    {
        private readonly List<object?> _scopes = [];

        internal List<Line> All { get; } = [];

        public IDisposable BeginScope<TState>(TState state)
            where TState : notnull
        {
            _scopes.Add(state);
            return new End(() => _scopes.Remove(state));
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            All.Add(new(
            eventId.Id, logLevel, formatter(state, exception), _scopes.OfType<IEnumerable<KeyValuePair<string, object?>>>().SelectMany(s => s).ToDictionary()));

        private sealed class End(Action end) : IDisposable
        {
            public void Dispose() => end();
        }
    }

    /// <summary>Every event of every package of ours that is here.</summary>
    internal static Type[] Ours() =>
    [
        .. Directory.GetFiles(AppContext.BaseDirectory, "Resilience*.dll").Select(Path.GetFileNameWithoutExtension)
            .Where(n => !n!.Contains("Tests", StringComparison.Ordinal)).Select(n => Assembly.Load(n!))
            .SelectMany(a => a.GetTypes()).Where(t => t.IsSubclassOf(typeof(ResilienceEvent)) && !t.IsAbstract),
    ];

    public static TheoryData<Type> Events() => [.. Ours()];

    /// <summary>An event with something in each place: the log has to write it, whatever it says.</summary>
    private static ResilienceEvent Make(Type type, Exception? error = null)
    {
        ConstructorInfo constructor = type.GetConstructors().Single(c => c.GetParameters().Length > 1);
        object?[] values =
            [.. constructor.GetParameters().Select(p => p.ParameterType == typeof(Exception) ? error ?? new IOException() : Something(p.ParameterType))];
        ResilienceEvent made = (ResilienceEvent)constructor.Invoke(values);
        if (error is null) return made;
        foreach (PropertyInfo settable in ErrorsOf(type).Where(p => p.CanWrite)) settable.SetValue(made, error);
        return made;
    }

    private static IEnumerable<PropertyInfo> ErrorsOf(Type type) => type.GetProperties().Where(p => p.PropertyType == typeof(Exception));

    private static object? Something(Type type)
    {
        if (type == typeof(string)) return "x";
        if (type.IsSubclassOf(typeof(Rejection))) return Rejected(type);
        return type.IsAbstract || Nullable.GetUnderlyingType(type) is not null ? null : RuntimeHelpers.GetUninitializedObject(type);
    }

    /// <summary>A rejection explains itself with what it was made from, so it must be a real one.</summary>
    private static Rejection Rejected(Type type)
    {
        ResiliencePipelineBuilder builder = new() { Name = "x" };
        if (type == typeof(CircuitRejection))
        {
            CircuitBreaker breaker = new(new());
            breaker.Isolate();
            builder.AddCircuitBreaker(breaker);
        }
        else if (type == typeof(LimitRejection))
        {
            builder.AddConcurrencyLimit(1);
        }
        else if (type == typeof(RateLimitRejection))
        {
            builder.AddRateLimiter(new System.Threading.RateLimiting.ConcurrencyLimiter(new() { PermitLimit = 1 }));
        }
        else if (type == typeof(ThrottleRejection))
        {
            builder.AddAdaptiveThrottle(EventSamples.Failing());
        }
        else if (type == typeof(AdaptiveLimitRejection))
        {
            builder.AddAdaptiveConcurrencyLimit(o => (o.InitialLimit, o.MaxLimit) = (1, 1));
        }
        else if (type == typeof(ShedRejection))
        {
            return SpokenRejections.OfShedder("x", ShedReason.Limit);
        }
        else if (type == typeof(IdempotencyRejection))
        {
            builder.AddIdempotency(new IdempotencyGate());
        }

        ResiliencePipeline pipeline = builder.Build();
        Rejection? inner = null;
        Outcome<int> outer = pipeline.TryExecuteAsync(async token =>
        {
            inner = (await pipeline.TryExecuteAsync(static _ => new ValueTask<int>(1), token)).Rejection; // the one place is taken
            return 1;
        }).AsTask().GetAwaiter().GetResult();
        Rejection rejection = outer.Rejection ?? inner!;
        rejection.Should().BeOfType(type, "an event with a rejection of a new kind needs a way to be rejected here");
        return rejection;
    }

    private static Line Written(ResilienceEvent happened)
    {
        Lines lines = new();
        new EventLog(lines).Write(happened);
        return lines.All.Should().ContainSingle().Subject;
    }

    [Theory]
    [MemberData(nameof(Events))]
    public void An_event_of_ours_has_a_line_of_its_own_with_trace_and_span(Type type)
    {
        using Activity span = new("call");
        span.Start();
        Line line = Written(Make(type) with { Operation = "charge" });
        line.Id.Should().NotBe(EventLog.OfOthers.Id, "{0} needs a number of its own", type.Name);
        line.Scope.Should().Contain("TraceId", span.TraceId.ToHexString()).And.Contain("SpanId", span.SpanId.ToHexString())
            .And.Contain("Pipeline", "x").And.Contain("Operation", "charge");
        LogRow row = TelemetryTable.Read(TelemetryTable.Text).Logs.Single(r => r.Id == line.Id);
        row.Levels.Should().Contain(line.Level.ToString());
        row.Name.Should().Be(type.Name, "the line bears the name of its event");
    }

    [Fact]
    public void Events_have_lines_apart_from_each_other_and_there_are_many()
    {
        Ours().Should().HaveCountGreaterThan(11);
        Ours().Select(t => Written(Make(t)).Id).Should().OnlyHaveUniqueItems();
    }

    /// <summary>A provider of logs writes the exception of a line with <see cref="Exception.ToString"/>, which follows all that it holds.</summary>
    [Fact]
    public void The_exception_of_a_line_can_be_written_down_however_much_it_holds()
    {
        Type[] withErrors = [.. Ours().Where(t => ErrorsOf(t).Any())];
        withErrors.Should().HaveCountGreaterThan(2);
        LargeErrorTests.Writer writer = new();
        foreach (string shape in LargeExceptions.All)
        {
            foreach (Type type in withErrors)
                LargeExceptions.Wrong(shape, error => new EventLog(writer).Write(Make(type, error))).Should().BeNull("{0} is logged", type.Name);
        }

        LargeExceptions.Wrong("the same twice", error => writer.LogError(error, "x")).Should().NotBeNull("this one is not guarded");
    }

    [Fact]
    public void The_check_finds_an_event_without_a_line()
    {
        Line line = Written(Make(typeof(UsersOwn)));
        line.Id.Should().Be(EventLog.OfOthers.Id, "what is not known is written all the same");
        line.Text.Should().Be("x/x: UsersOwn { PipelineName = x, PolicyName = x, Operation =  }");
        line.Scope.Should().NotContainKey("TraceId", "there is no trace");
    }
}

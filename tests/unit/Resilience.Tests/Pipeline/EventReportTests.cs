using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience.Tests.Pipeline;

/// <summary>One report of an event counts it, writes it on the span and tells the listeners, whose ever the event is (decision 0056).</summary>
public sealed class EventReportTests : IDisposable
{
    /// <summary>An event as an author outside of the library writes it.</summary>
    private sealed record QuotaReached(string PipelineName, string PolicyName, string Tenant, Exception? Fault = null) : ResilienceEvent(PipelineName,
        PolicyName)
    {
        public static EventMetric Metric { get; } = new("test.quota.rejections", "{call}", "Calls beyond the quota.");

        public override EventMetric GetMetric() => Fault is null ? Metric : throw Fault;

        public override string GetSpanEventName() => "quota";

        public override void AddTags(ref TagList tags) => tags.Add("test.tier", "free");

        public override void AddSpanTags(ref TagList tags) => tags.Add("test.tenant", Tenant);
    }

    private readonly ActivitySource _source = new($"events-{Guid.NewGuid():N}");
    private readonly ActivityListener _spans;
    private readonly MeterListener _meters = new();
    private readonly Meter _meter = new("events");
    private readonly List<string> _counted = [];

    public EventReportTests()
    {
        _spans = new()
        {
            ShouldListenTo = s => ReferenceEquals(s, _source),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(_spans);
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter, _meter)) listener.EnableMeasurementEvents(instrument);
        };
        _meters.SetMeasurementEventCallback<long>((instrument, value, tags, _) => _counted.Add($"{instrument.Name} {value} {Text(tags.ToArray())}"));
    }

    private static string Text(IEnumerable<KeyValuePair<string, object?>> tags) => string.Join(' ', tags.Select(t => $"{t.Key}={t.Value}"));

    private PolicyEnvironment Environment(params Action<ResilienceEvent>[] listeners) => new(
        "orders", "quota", Clock.For(TimeProvider.System), Randomness.Shared, OutcomeClassifier.Default, [.. listeners.Select(l => new EventListener(l))], _meter);

    [Fact]
    public void One_report_is_counted_written_on_the_span_and_told_to_all_listeners()
    {
        _meters.Start();
        List<ResilienceEvent> heard = [];
        PolicyEnvironment environment = Environment(heard.Add, _ => throw new InvalidOperationException("a listener"), heard.Add);
        QuotaReached happened = new("orders", "quota", "acme");
        using (Activity span = _source.StartActivity("call")!)
        {
            environment.Report(happened);
            span.Events.Select(e => e.Name).Should().Equal("quota", "resilience.callback.error");
            ActivityEvent written = span.Events.First();
            Text(written.Tags).Should().Be("resilience.policy=quota test.tier=free test.tenant=acme", "the pipeline is the span's own");
        }

        _counted.Should().Equal("test.quota.rejections 1 resilience.pipeline=orders resilience.policy=quota test.tier=free");
        heard.Should().Equal(happened, happened);
    }

    [Fact]
    public void What_an_event_throws_when_it_is_asked_disturbs_neither_the_call_nor_the_listeners()
    {
        _meters.Start();
        List<ResilienceEvent> heard = [];
        QuotaReached broken = new("orders", "quota", "acme", new InvalidOperationException("an override"));
        Environment(heard.Add).Invoking(e => e.Report(broken)).Should().NotThrow();
        heard.Should().Equal(broken);
        _counted.Should().BeEmpty();
    }

    [Theory]
    [InlineData(false, false, false, false)]
    [InlineData(true, false, false, true)]
    [InlineData(false, true, false, true)]
    [InlineData(false, false, true, true)]
    public void An_event_is_wanted_by_a_counter_a_span_or_a_listener(bool counts, bool traces, bool listens, bool isWanted)
    {
        if (counts) _meters.Start();
        using Activity? span = traces ? _source.StartActivity("call") : null;
        PolicyEnvironment environment = listens ? Environment(_ => { }) : Environment();
        environment.IsObserved(QuotaReached.Metric).Should().Be(isWanted);
        environment.IsObserved().Should().Be(traces || listens, "without a counter only those who read are asked");
    }

    [Fact]
    public void Each_meter_has_its_own_counter_and_each_environment_looks_it_up_once()
    {
        using Meter other = new("events");
        EventMetric metric = new("test.events", "{event}", "Events.");
        metric.On(_meter).Instrument.Should().BeSameAs(metric.On(_meter).Instrument).And.NotBeSameAs(metric.On(other).Instrument);
        PolicyEnvironment environment = Environment();
        environment.CounterOf(metric).Instrument.Should().BeSameAs(metric.On(_meter).Instrument);
        environment.CounterOf(QuotaReached.Metric).Instrument.Should().NotBeSameAs(environment.CounterOf(metric).Instrument);
        environment.CounterOf(metric).Instrument.Should().BeSameAs(metric.On(_meter).Instrument);
    }

    [Theory]
    [InlineData("", "{call}", "Calls.")]
    [InlineData("a", "", "Calls.")]
    [InlineData("a", "{call}", "")]
    public void A_counter_has_a_name_a_unit_and_a_description(string name, string unit, string description) =>
        FluentActions.Invoking(() => new EventMetric(name, unit, description)).Should().Throw<ArgumentException>();

    /// <summary>A rejection that repeats while a circuit is open is one object, so that counting it allocates no more than rejecting does.</summary>
    [Fact]
    public async Task Rejections_of_one_break_are_one_event()
    {
        List<ResilienceEvent> heard = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "orders" }.AddCircuitBreaker().OnEvent(heard.Add).Build();
        ((CircuitBreaker)pipeline.States.Single().State!).Isolate();
        for (int i = 0; i < 3; i++) await pipeline.TryExecuteAsync(_ => ValueTask.FromResult(1));
        await pipeline.TryExecuteAsync(new CallOptions { Operation = "other" }, static (_, n) => ValueTask.FromResult(n), 1);
        CircuitRejected[] rejected = [.. heard.OfType<CircuitRejected>()];
        rejected.Should().HaveCount(4);
        rejected[1].Should().BeSameAs(rejected[0]);
        rejected[2].Should().BeSameAs(rejected[0]);
        rejected[3].Operation.Should().Be("other");
    }

    [Fact]
    public void Members_of_enums_are_words_in_a_sentence_and_themselves_for_a_structured_log()
    {
        RetryStopReason cause = RetryStopReason.RetryAfter;
        EventMessage message = $"not retried ({cause})";
        message.ToString().Should().Be("not retried (retry after)");
        message.Values.Should().ContainSingle().Which.Should().Be(new KeyValuePair<string, object?>("Cause", cause));
    }

    public void Dispose()
    {
        _spans.Dispose();
        _meters.Dispose();
        _source.Dispose();
        _meter.Dispose();
    }
}

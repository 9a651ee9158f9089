using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience.Idempotency.Tests.Gate;

/// <summary>What the gate shows to those who watch: each request, each completion, who waits, and how the store does.</summary>
[Collection("meters")] // a count of bytes must not run beside a listener of the process
public sealed class TelemetryTests : IDisposable
{
    private static readonly Fingerprint Asked = Fingerprint.Of("asked");
    private static readonly byte[] Receipt = "receipt"u8.ToArray();

    private readonly string _name = $"gate {Guid.NewGuid()}";
    private readonly List<(string Instrument, double Value, string Tags)> _measured = [];
    private readonly MeterListener _listener = new();
    private readonly UnrulyStore _store;
    private readonly Kit _kit;

    public TelemetryTests()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name.StartsWith("resilience.idempotency.", StringComparison.Ordinal)) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.Start();
        UnrulyStore? store = null;
        _kit = new(o => o.Name = _name, inner => store = new(inner));
        _store = store!;
    }

    public void Dispose()
    {
        _listener.Dispose();
        _kit.Dispose();
    }

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string? policy = null;
        List<string> others = [];
        foreach ((string key, object? tag) in tags)
        {
            if (key == ResilienceTelemetry.PolicyTag) policy = (string?)tag;
            else others.Add($"{tag}");
        }

        if (policy != _name) return; // gates of other tests
        lock (_measured) _measured.Add((instrument.Name["resilience.idempotency.".Length..], value, string.Join(' ', others)));
    }

    private string[] Of(string instrument)
    {
        lock (_measured) return [.. _measured.Where(m => m.Instrument == instrument).Select(m => m.Tags)];
    }

    private async Task<IdempotencyResult> EnterAsync(IdempotencyId id, Fingerprint fingerprint, IdempotencyGate? gate = null) =>
        await _kit.PassUntilAsync((gate ?? _kit.Gate).EnterAsync(id, fingerprint).AsTask(), TimeSpan.FromMilliseconds(50));

    [Fact]
    public async Task Every_request_is_counted_by_its_status()
    {
        IdempotencyId done = Kit.NewId(), held = Kit.NewId(), unknown = Kit.NewId();
        await (await EnterAsync(done, Asked)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        await EnterAsync(done, Asked);
        await EnterAsync(done, Fingerprint.Of("something else"));
        (await EnterAsync(held, Asked)).Claim!.Hold();
        await EnterAsync(held, Asked);
        await (await EnterAsync(unknown, Asked)).Claim!.CompleteAsUnknownAsync();
        await EnterAsync(unknown, Asked);
        _store.Before = _ => Task.FromException(new IdempotencyStoreException(IdempotencyStoreFault.Corrupt, "not a record"));
        await EnterAsync(Kit.NewId(), Asked);
        _store.Before = _ => UnrulyStore.Broken;
        await EnterAsync(Kit.NewId(), Asked);
        await EnterAsync(Kit.NewId(), Asked, _kit.NewGate(o => (o.Name, o.WhenStoreFails) = (_name, WhenStoreFails.RunUnprotected)));

        Of("requests").Should().Equal("claimed", "replayed", "key_reused", "claimed", "in_flight", "claimed", "outcome_unknown", "unreadable",
            "store_unavailable", "unprotected");
    }

    [Fact]
    public async Task Every_completion_is_counted_by_its_name_and_a_takeover_is_one()
    {
        IdempotencyId id = Kit.NewId();
        await (await EnterAsync(Kit.NewId(), default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        await (await EnterAsync(Kit.NewId(), default)).Claim!.CompleteAsUnknownAsync(IdempotencyPayloadKind.Error, Receipt);
        await (await EnterAsync(Kit.NewId(), default)).Claim!.ReleaseAsync();
        (await EnterAsync(id, default)).Claim!.Hold();
        _kit.Time.Advance(Kit.Lease + TimeSpan.FromSeconds(1));
        IdempotencyClaim late = (await EnterAsync(id, default)).Claim!;
        late.TookOver.Should().BeTrue();
        await _kit.Memory.ReleaseAsync(id, late.Fence);
        await _kit.Memory.TryAcquireAsync(new() { Id = id, Nonce = Guid.NewGuid(), Lease = Kit.Lease, Retention = Kit.Lease, MaxAttempts = 5 });
        (await late.ReleaseAsync()).Should().Be(IdempotencyFinish.Lost);
        IdempotencyClaim failing = (await EnterAsync(Kit.NewId(), default)).Claim!;
        _store.Before = operation => operation == "release" ? UnrulyStore.Broken : Task.CompletedTask;
        (await _kit.PassUntilAsync(failing.ReleaseAsync().AsTask(), TimeSpan.FromMilliseconds(200))).Should().Be(IdempotencyFinish.StoreFailed);

        Of("completions").Should().Equal("completed", "outcome_unknown", "released", "held", "stale", "store_failed");
        Of("takeovers").Should().ContainSingle();
        _kit.Events.OfType<IdempotencyOutcomeNotKept>().Should().ContainSingle(e => e.Finish == IdempotencyFinish.StoreFailed);
    }

    [Fact]
    public async Task A_claim_that_is_lost_while_its_call_runs_is_counted()
    {
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await EnterAsync(id, default)).Claim!;
        await _kit.Memory.ReleaseAsync(id, claim.Fence);
        await _kit.PassAsync(Kit.Lease / 2);
        await Kit.UntilAsync(() => claim.IsLost);

        Of("claims.lost").Should().ContainSingle();
    }

    [Fact]
    public async Task Waiting_calls_are_counted_in_and_out()
    {
        IdempotencyId id = Kit.NewId();
        IdempotencyGate gate = _kit.NewGate(o => (o.Name, o.WhenInFlight) = (_name, WhenInFlight.Wait));
        IdempotencyClaim claim = (await EnterAsync(id, default, gate)).Claim!;
        Task<IdempotencyResult> waiting = gate.EnterAsync(id, default).AsTask();
        await Kit.UntilAsync(() => gate.Waiting == 1);
        await claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        (await waiting.WaitAsync(Kit.Patience)).Status.Should().Be(IdempotencyStatus.Replayed);

        lock (_measured) _measured.Where(m => m.Instrument == "waiting").Select(m => m.Value).Should().Equal(1, -1);
    }

    [Theory]
    [InlineData(IdempotencyStoreFault.Full, "full")]
    [InlineData(IdempotencyStoreFault.Corrupt, "corrupt")]
    [InlineData(IdempotencyStoreFault.Misconfigured, "misconfigured")]
    [InlineData(IdempotencyStoreFault.Unavailable, "unavailable")]
    [InlineData(null, "System.FormatException")]
    public async Task The_time_of_the_store_is_measured_by_operation_and_fault(IdempotencyStoreFault? fault, string name)
    {
        IdempotencyClaim claim = (await EnterAsync(Kit.NewId(), default)).Claim!;
        await claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        _store.Before = _ => throw (fault is { } known ? new IdempotencyStoreException(known, "planned") : new FormatException("planned"));
        await EnterAsync(Kit.NewId(), default);

        string[] measured = Of("store.duration");
        measured[..2].Should().Equal("unruly acquire", "unruly complete");
        measured[2..].Should().NotBeEmpty().And.OnlyContain(m => m == $"unruly acquire {name}");
    }

    [Fact]
    public async Task A_store_that_never_answers_is_measured_as_a_timeout_once_it_gives_in()
    {
        TaskCompletionSource slow = new();
        int asked = 0;
        _store.Before = _ => Interlocked.Increment(ref asked) == 1 ? slow.Task : Task.CompletedTask; // what comes later gives the claim back
        (await EnterAsync(Kit.NewId(), default)).Status.Should().Be(IdempotencyStatus.StoreUnavailable);
        Of("store.duration").Should().BeEmpty("it is not known yet how long it takes");
        slow.SetException(new OperationCanceledException());
        await Kit.UntilAsync(() => Of("store.duration").Length > 0);

        Of("store.duration")[0].Should().Be("unruly acquire timeout");
    }

    [Fact]
    public async Task The_current_activity_records_the_result()
    {
        using Activity activity = new Activity("charge").Start();
        IdempotencyId id = Kit.NewId();
        await _kit.Gate.EnterAsync(id, default);

        activity.Events.Should().ContainSingle().Which.Tags.Should().Contain(
            [new("resilience.idempotency.status", "claimed"), new("resilience.idempotency.id", id.ToString())]);
    }
}

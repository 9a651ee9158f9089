using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Fallbacks;

public sealed class FallbackTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<FallbackUsed> _used = [];
    private readonly List<FallbackFailed> _failed = [];

    private ResiliencePipeline<string> Make(Action<FallbackOptions<string>> configure, CircuitBreaker? breaker = null)
    {
        ResiliencePipelineBuilder<string> builder = new ResiliencePipelineBuilder<string> { TimeProvider = _time }
            .Classify(c => c.OnResult<string>(r => r == "bad" ? Verdict.Failure : r == "odd" ? Verdict.Ignored : null))
            .OnEvent(e => _used.AddRange(e is FallbackUsed used ? [used] : []))
            .OnEvent(e => _failed.AddRange(e is FallbackFailed failed ? [failed] : []))
            .AddFallback(configure);
        return (breaker is null ? builder : builder.AddCircuitBreaker(breaker)).Build();
    }

    private static ValueTask<string> Fail(CancellationToken ct) => throw new IOException("down");

    [Fact]
    public async Task A_failure_is_replaced_by_the_value()
    {
        ResiliencePipeline<string> pipeline = Make(o => o.Value = "default");
        Outcome<string> outcome = await pipeline.TryExecuteAsync(Fail);
        outcome.IsSuccess.Should().BeTrue();
        outcome.Value.Should().Be("default");
        _used.Should().ContainSingle()
            .Which.Should().Match<FallbackUsed>(u => u.Replaced == Verdict.Failure && u.Source == FallbackSource.Value && u.Age == null);
        (await pipeline.ExecuteAsync(_ => new ValueTask<string>("bad"))).Should().Be("default", "a result that counts as a failure is replaced as well");
        (await pipeline.ExecuteAsync(async _ => { await Task.Yield(); throw new IOException(); })).Should().Be("default");
    }

    [Fact]
    public async Task A_rejection_is_replaced_too()
    {
        CircuitBreaker breaker = new(new());
        breaker.Isolate();
        (await Make(o => o.Value = "default", breaker).ExecuteAsync(_ => new ValueTask<string>("fresh"))).Should().Be("default");
        _used.Single().Replaced.Should().Be(Verdict.Rejected);
    }

    [Fact]
    public async Task Successes_and_ignored_outcomes_pass_untouched()
    {
        ResiliencePipeline<string> pipeline = Make(o => o.Value = "default");
        (await pipeline.ExecuteAsync(_ => new ValueTask<string>("fresh"))).Should().Be("fresh");
        (await pipeline.ExecuteAsync(_ => new ValueTask<string>("odd"))).Should().Be("odd");
        (await pipeline.TryExecuteAsync(_ => throw new ArgumentException())).Exception.Should().BeOfType<ArgumentException>();
        (await pipeline.TryExecuteAsync(Fail, new CancellationToken(true))).Verdict.Should().Be(Verdict.Ignored);
        _used.Should().BeEmpty();
    }

    [Fact]
    public async Task A_value_of_null_is_a_value()
    {
        ResiliencePipeline<string?> pipeline = new ResiliencePipelineBuilder<string?>().AddFallback(o => o.Value = null).Build();
        (await pipeline.ExecuteAsync(_ => throw new IOException())).Should().BeNull();
    }

    [Fact]
    public async Task The_substitute_call_sees_what_it_replaces()
    {
        ResiliencePipeline<string> pipeline = Make(o => o.Call = a => new ValueTask<string>($"{a.Outcome.Exception!.Message} in {a.Context.Operation}"));
        (await pipeline.ExecuteAsync(new CallOptions("read"), (_, _) => throw new IOException("down"), 0)).Should().Be("down in read");
        _used.Single().Source.Should().Be(FallbackSource.Call);
    }

    [Fact]
    public async Task A_substitute_call_that_throws_leaves_the_failure_or_the_value()
    {
        IOException original = new("down");
        InvalidOperationException broken = new();
        ResiliencePipeline<string> alone = Make(o => o.Call = _ => throw broken);
        (await alone.TryExecuteAsync(_ => throw original)).Exception.Should().BeSameAs(original);
        FallbackFailed failed = _failed.Should().ContainSingle().Subject;
        (failed.Kept, failed.Error, failed.PolicyName).Should().Be((Verdict.Failure, broken, "fallback"));
        _used.Should().BeEmpty();
        ResiliencePipeline<string> withValue = Make(o => (o.Call, o.Value) = (async _ => { await Task.Yield(); throw new InvalidOperationException(); },
            "last resort"));
        (await withValue.ExecuteAsync(Fail)).Should().Be("last resort");
    }

    [Fact]
    public async Task ShouldHandle_narrows_and_a_throw_means_no()
    {
        ResiliencePipeline<string> pipeline = Make(o => (o.Value, o.ShouldHandle) = ("default", a => a.Outcome.Exception is TimeoutException));
        (await pipeline.ExecuteAsync(_ => throw new TimeoutException())).Should().Be("default");
        (await pipeline.TryExecuteAsync(Fail)).Exception.Should().BeOfType<IOException>();
        ResiliencePipeline<string> throwing = Make(o => (o.Value, o.ShouldHandle) = ("default", _ => throw new InvalidOperationException()));
        (await throwing.TryExecuteAsync(Fail)).Exception.Should().BeOfType<IOException>();
    }

    [Fact]
    public async Task The_last_good_value_is_served_until_it_is_too_old()
    {
        ResiliencePipeline<string> pipeline = Make(o => o.LastGood = LastGood<string>.Shared(TimeSpan.FromMinutes(5)));
        (await pipeline.TryExecuteAsync(Fail)).Verdict.Should().Be(Verdict.Failure, "nothing good has been seen yet");
        (await pipeline.ExecuteAsync(_ => new ValueTask<string>("one"))).Should().Be("one");
        (await pipeline.ExecuteAsync(async _ => { await Task.Yield(); return "two"; })).Should().Be("two");
        await pipeline.ExecuteAsync(_ => new ValueTask<string>("odd"));
        _time.Advance(TimeSpan.FromMinutes(5));
        (await pipeline.ExecuteAsync(Fail)).Should().Be("two", "an ignored result is not a good one");
        _used.Single().Age.Should().Be(TimeSpan.FromMinutes(5));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        (await pipeline.TryExecuteAsync(Fail)).Verdict.Should().Be(Verdict.Failure);
    }

    [Fact]
    public async Task Last_good_values_of_different_keys_are_kept_apart_and_bounded()
    {
        LastGood<string> lastGood = LastGood<string>.PerKey(c => c.Operation == "throws" ? throw new InvalidOperationException() : c.Operation,
            TimeSpan.FromHours(1), capacity: 50);
        ResiliencePipeline<string> pipeline = Make(o => o.LastGood = lastGood);
        await pipeline.ExecuteAsync(new("a"), (_, _) => new ValueTask<string>("of a"), 0);
        await pipeline.ExecuteAsync(new("b"), (_, _) => new ValueTask<string>("of b"), 0);
        (await pipeline.ExecuteAsync(new("a"), (_, _) => throw new IOException(), 0)).Should().Be("of a");
        (await pipeline.TryExecuteAsync(new("c"), (_, _) => throw new IOException(), 0)).Verdict.Should().Be(Verdict.Failure);
        await pipeline.ExecuteAsync(new("throws"), (_, _) => new ValueTask<string>("x"), 0);
        (await pipeline.TryExecuteAsync(new("throws"), (_, _) => throw new IOException(), 0)).Verdict.Should().Be(Verdict.Failure);
        await pipeline.ExecuteAsync(default, (_, _) => new ValueTask<string>("no key"), 0);
        (await pipeline.TryExecuteAsync(default, (_, _) => throw new IOException(), 0)).Verdict.Should().Be(Verdict.Failure);
        for (int i = 0; i < 1000; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(1));
            await pipeline.ExecuteAsync(new($"key {i}"), (_, n) => new ValueTask<string>($"of {n}"), i);
            lastGood.Count.Should().BeLessThanOrEqualTo(50);
        }

        (await pipeline.ExecuteAsync(new("key 999"), (_, _) => throw new IOException(), 0)).Should().Be("of 999", "the newest are kept");
    }

    [Fact]
    public async Task Racing_successes_and_failures_serve_only_values_that_were_good()
    {
        LastGood<string> lastGood = LastGood<string>.Shared(TimeSpan.FromHours(1));
        ResiliencePipeline<string> pipeline = new ResiliencePipelineBuilder<string>().AddFallback(o => o.LastGood = lastGood).Build();
        await pipeline.ExecuteAsync(_ => new ValueTask<string>("good -1"));
        string[] seen = await Task.WhenAll(Enumerable.Range(0, 4000).Select(i => Task.Run(async () =>
            await pipeline.ExecuteAsync(_ => i % 2 == 0 ? new ValueTask<string>($"good {i}") : throw new IOException()))));
        seen.Should().OnlyContain(s => s.StartsWith("good ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_disposable_result_cannot_be_kept()
    {
        FluentActions.Invoking(() => LastGood<HttpResponseMessage>.Shared(TimeSpan.FromMinutes(1))).Should().Throw<NotSupportedException>()
            .WithMessage("*HttpResponseMessage*disposable*");
        FluentActions.Invoking(() => LastGood<string>.Shared(TimeSpan.Zero)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => LastGood<string>.PerKey(null!, TimeSpan.FromMinutes(1))).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => LastGood<string>.PerKey(_ => "", TimeSpan.FromMinutes(1), 0)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public async Task A_value_that_turns_out_to_be_disposable_is_not_kept()
    {
        LastGood<object> lastGood = LastGood<object>.Shared(TimeSpan.FromHours(1));
        ResiliencePipeline<object> pipeline = new ResiliencePipelineBuilder<object>().AddFallback(o => o.LastGood = lastGood).Build();
        await pipeline.ExecuteAsync(_ => new ValueTask<object>(new MemoryStream()));
        lastGood.Count.Should().Be(0, "its reader may have disposed of it");
        await pipeline.ExecuteAsync(_ => new ValueTask<object>("text"));
        (await pipeline.ExecuteAsync(_ => throw new IOException())).Should().Be("text");
    }

    [Fact]
    public async Task Many_threads_keep_the_bound_and_each_key_its_own_values()
    {
        LastGood<string> lastGood = LastGood<string>.PerKey(c => c.Operation, TimeSpan.FromHours(1), capacity: 100);
        ResiliencePipeline<string> pipeline = new ResiliencePipelineBuilder<string>().AddFallback(o => o.LastGood = lastGood).Build();
        int strangers = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(t => Task.Run(async () =>
        {
            Random random = new(t);
            for (int i = 0; i < 3000; i++)
            {
                string key = $"{random.Next(400)}";
                Outcome<string> outcome = await pipeline.TryExecuteAsync(
                    new CallOptions(key), (context, n) => n % 2 == 0 ? new ValueTask<string>($"{context.Operation}/{n}") : throw new IOException(), i);
                if (outcome.TryGetValue(out string? value) && value.Split('/')[0] != key) Interlocked.Increment(ref strangers);
            }
        })));
        strangers.Should().Be(0);
        lastGood.Count.Should().BeInRange(50, 100, "the bound holds on any number of threads");

        // The count that is kept beside the dictionary has not drifted: new keys one after the other still keep the bound exactly.
        List<int> counts = [];
        for (int i = 0; i < 500; i++)
        {
            await pipeline.ExecuteAsync(new CallOptions($"new {i}"), (_, _) => new ValueTask<string>("x"), 0);
            counts.Add(lastGood.Count);
        }

        (counts.Min(), counts.Max()).Should().Be((90, 100), "when a hundred are exceeded the oldest tenth is forgotten, and not before");
    }

    [Fact]
    public async Task The_replaced_result_is_disposed_and_the_substitute_is_not()
    {
        MemoryStream bad = new(), good = new();
        ResiliencePipeline<Stream> pipeline = new ResiliencePipelineBuilder<Stream>()
            .Classify(c => c.OnResult<Stream>(s => s == bad ? Verdict.Failure : null))
            .AddFallback(o => o.Call = _ => new ValueTask<Stream>(good))
            .Build();
        (await pipeline.ExecuteAsync(_ => new ValueTask<Stream>(bad))).Should().BeSameAs(good);
        bad.CanRead.Should().BeFalse();
        good.CanRead.Should().BeTrue();
    }

    [Fact]
    public async Task A_substitute_that_is_the_failed_result_itself_is_not_disposed()
    {
        MemoryStream bad = new();
        ResiliencePipeline<Stream> pipeline = new ResiliencePipelineBuilder<Stream>()
            .Classify(c => c.OnResult<Stream>(_ => Verdict.Failure))
            .AddFallback(o => o.Call = a => new ValueTask<Stream>(a.Outcome.Value))
            .Build();
        (await pipeline.ExecuteAsync(_ => new ValueTask<Stream>(bad))).CanRead.Should().BeTrue();
    }

    [Fact]
    public async Task In_a_pipeline_for_any_type_only_calls_of_its_type_have_it()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddFallback(new FallbackOptions<int> { Value = 9 }).Build();
        (await pipeline.ExecuteAsync<int>(_ => throw new IOException())).Should().Be(9);
        (await pipeline.TryExecuteAsync<long>(_ => throw new IOException())).Exception.Should().BeOfType<IOException>();
        await FluentActions.Awaiting(() => pipeline.ExecuteAsync(_ => throw new IOException()).AsTask()).Should().ThrowAsync<IOException>();
    }

    [Fact]
    public async Task A_call_without_a_result_can_have_a_substitute()
    {
        Exception? replaced = null;
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddFallback((error, _) =>
        {
            replaced = error;
            return ValueTask.CompletedTask;
        }).Build();
        await pipeline.ExecuteAsync(_ => throw new IOException("void"));
        replaced.Should().BeOfType<IOException>();
    }

    [Fact]
    public void A_fallback_with_nothing_to_fall_back_on_is_rejected() =>
        FluentActions.Invoking(() => new ResiliencePipelineBuilder<int>().AddFallback(_ => { }).Build())
            .Should().Throw<ResilienceOptionsException>().WithMessage("*fallback: Value is not set*");
}

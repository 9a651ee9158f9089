using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using Resilience.Overload;

namespace Resilience.Tests.Requests;

/// <summary>Work that outlives the request in which it was started: it inherits the deadline, unless it was started under Suppress.</summary>
public sealed class SuppressedRequestTests
{
    private readonly FakeTimeProvider _time = new();

    /// <summary>A service with a loop and a timer, as hosts start them.</summary>
    private sealed class Service(TimeProvider time) : IAsyncDisposable
    {
        private readonly Channel<TaskCompletionSource<bool>> _asked = Channel.CreateUnbounded<TaskCompletionSource<bool>>();
        private readonly TaskCompletionSource<bool> _seenByTimer = new();
        private Task? _loop;
        private ITimer? _timer;

        internal void Start()
        {
            _loop = LoopAsync();
            _timer = time.CreateTimer(
                _ => _seenByTimer.TrySetResult(RequestContext.Current is not null), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        }

        internal Task<bool> SeenByTimer => _seenByTimer.Task;

        internal async Task<bool> HasDeadlineAsync()
        {
            TaskCompletionSource<bool> answer = new();
            await _asked.Writer.WriteAsync(answer);
            return await answer.Task;
        }

        private async Task LoopAsync()
        {
            await Task.Yield();
            await foreach (TaskCompletionSource<bool> asked in _asked.Reader.ReadAllAsync())
            {
                asked.SetResult(await ResiliencePipeline.Empty.ExecuteAsync(
                    default, static (context, _) => new ValueTask<bool>(context.RemainingTime is not null), 0));
            }
        }

        public async ValueTask DisposeAsync()
        {
            _asked.Writer.Complete();
            await _loop!;
            await _timer!.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)] // the mistake that Suppress is for: planted, and found
    public async Task A_service_that_is_started_within_a_request_has_no_deadline_after_Suppress(bool suppress)
    {
        await using Service service = new(_time);
        using (RequestScope request = RequestContext.Begin(new() { Timeout = TimeSpan.FromSeconds(30) }))
        {
            using (suppress ? RequestContext.Suppress() : default) service.Start();
            RequestContext.Current.Should().BeSameAs(request.Request, "the request goes on");
        }

        _time.Advance(TimeSpan.FromSeconds(1));
        (await service.HasDeadlineAsync()).Should().Be(!suppress);
        (await service.SeenByTimer).Should().BeFalse("a timer of a fake clock captures nothing; those of the system are below");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_timer_of_the_system_that_is_started_within_a_request_belongs_to_none_after_Suppress(bool suppress)
    {
        TaskCompletionSource<bool> seen = new();
        using RequestScope request = RequestContext.Begin(new() { Timeout = TimeSpan.FromSeconds(30) });
        Timer timer;
        using (suppress ? RequestContext.Suppress() : default)
            timer = new(_ => seen.TrySetResult(RequestContext.Current is not null), null, 1, Timeout.Infinite);
        (await seen.Task).Should().Be(!suppress);
        await timer.DisposeAsync();
    }

    [Fact]
    public async Task A_request_does_not_leave_the_method_that_began_it_nor_reach_its_neighbours()
    {
        await Task.WhenAll(Enumerable.Range(1, 32).Select(async seconds =>
        {
            await Task.Yield();
            using RequestScope scope = RequestContext.Begin(new() { Timeout = TimeSpan.FromSeconds(seconds), TimeProvider = _time });
            await Task.Yield();
            RequestContext.Current!.RemainingTime.Should().Be(TimeSpan.FromSeconds(seconds));
        }));
        RequestContext.Current.Should().BeNull();
    }
}

using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using Resilience.Transports;

namespace Resilience.Tests.Pipeline;

/// <summary>Connections of ADO.NET opened through a pipeline: every failure that may pass is repeated, as one of which nothing was applied.</summary>
public sealed class ConnectionOpeningTests
{
    /// <summary>The four ways to open.</summary>
    public enum Way
    {
        SourceAsync, Source, ConnectionAsync, Connection,
    }

    public static TheoryData<Way> Ways => [.. Enum.GetValues<Way>()];

    private static ResiliencePipeline Retrying(List<bool> notApplied) => new ResiliencePipelineBuilder().AddRetry(retry =>
    {
        retry.BaseDelay = retry.MaxDelay = TimeSpan.Zero;
        retry.Budget = RetryBudget.Unlimited;
        retry.ShouldRetry = attempt =>
        {
            notApplied.Add(attempt.NotApplied);
            return true;
        };
    }).Build();

    private static async Task<DbConnection> OpenAsync(Way way, FakeSource source, ResiliencePipeline pipeline) => way switch
    {
        Way.SourceAsync => await source.OpenAsync(pipeline),
        Way.Source => source.Open(pipeline),
        Way.ConnectionAsync => await source.CreateConnection().OpenAsync(pipeline),
        _ => source.CreateConnection().Open(pipeline),
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Every_answer_that_may_pass_is_repeated_and_known_not_to_be_applied(Way way)
    {
        string?[] states = [.. SqlStates.All.Select(r => r.Code.Replace("*", "000", StringComparison.Ordinal)).Where(c => c.Length == 5), null];
        foreach (string? state in states)
        {
            List<bool> notApplied = [];
            FakeSource source = new(failures: 3, () => new FakeError(state));
            bool mayPass = SqlStates.Judge(state) is null or { Verdict: Verdict.Failure, MayRepeat: true };
            if (mayPass)
            {
                (await OpenAsync(way, source, Retrying(notApplied))).State.Should().Be(ConnectionState.Open, $"{state} may pass");
                notApplied.Should().Equal(true, true, true);
            }
            else
            {
                await ((Func<Task>)(() => OpenAsync(way, source, Retrying(notApplied)))).Should().ThrowAsync<FakeError>($"{state} does not pass");
                source.Openings.Should().Be(1);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Timeouts_and_sockets_are_repeated_too(Way way)
    {
        Exception[] errors = [new TimeoutException(), new SocketException((int)SocketError.ConnectionReset), new IOException("reset")];
        foreach (Exception error in errors)
        {
            List<bool> notApplied = [];
            (await OpenAsync(way, new FakeSource(failures: 1, () => error), Retrying(notApplied))).State.Should().Be(ConnectionState.Open);
            notApplied.Should().Equal(true);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_is_broken_is_closed_before_it_is_opened(bool isAsync)
    {
        FakeConnection connection = new(new(failures: 0, () => new FakeError(null))) { Now = ConnectionState.Broken };
        FakeConnection opened = isAsync ? await connection.OpenAsync(ResiliencePipeline.Empty) : connection.Open(ResiliencePipeline.Empty);
        opened.Should().BeSameAs(connection, "in its own type");
        (connection.State, connection.Closings).Should().Be((ConnectionState.Open, 1));
    }

    [Fact]
    public async Task A_connection_that_is_opened_after_the_call_was_given_up_is_closed()
    {
        FakeSource source = new(failures: 0, () => new FakeError(null)) { Gate = new(TaskCreationOptions.RunContinuationsAsynchronously) };
        using CancellationTokenSource leaving = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddTimeout(new TimeoutOptions { Timeout = TimeSpan.FromDays(1), AbandonAfter = TimeSpan.Zero }).Build();
        Task<DbConnection> opening = source.OpenAsync(pipeline, leaving.Token).AsTask();
        await source.HasBegun.Task;
        await leaving.CancelAsync();
        await ((Func<Task>)(() => opening)).Should().ThrowAsync<OperationCanceledException>();
        source.Gate.SetResult();
        await source.Made!.IsGone.Task.WaitAsync(TimeSpan.FromMinutes(1));
    }

    private sealed class FakeError(string? state) : DbException("an answer of the server")
    {
        public override string? SqlState => state;
    }

    private sealed class FakeSource(int failures, Func<Exception> error) : DbDataSource
    {
        private int _failures = failures;

        internal int Openings { get; private set; }

        internal TaskCompletionSource HasBegun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>What an asynchronous opening waits for, whatever its token says.</summary>
        internal TaskCompletionSource? Gate { get; init; }

        internal FakeConnection? Made { get; private set; }

        public override string ConnectionString => "";

        internal new FakeConnection CreateConnection() => (FakeConnection)CreateDbConnection();

        protected override DbConnection CreateDbConnection() => Made = new FakeConnection(this);

        internal void Open()
        {
            Openings++;
            if (_failures-- > 0) throw error();
        }
    }

    private sealed class FakeConnection(FakeSource source) : DbConnection
    {
        internal ConnectionState Now { get; set; }

        internal int Closings { get; private set; }

        internal TaskCompletionSource IsGone { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        [AllowNull]
        public override string ConnectionString { get; set; } = "";

        public override string Database => "";

        public override string DataSource => "";

        public override string ServerVersion => "";

        public override ConnectionState State => Now;

        public override void ChangeDatabase(string databaseName) => throw new NotSupportedException();

        public override void Close()
        {
            Closings++;
            Now = ConnectionState.Closed;
        }

        public override void Open()
        {
            source.Open();
            Now = ConnectionState.Open;
        }

        public override async Task OpenAsync(CancellationToken cancellationToken)
        {
            source.HasBegun.TrySetResult();
            if (source.Gate is { } gate) await gate.Task;
            Open();
        }

        protected override void Dispose(bool disposing)
        {
            if (Now == ConnectionState.Open) Close();
            IsGone.TrySetResult();
            base.Dispose(disposing);
        }

        protected override DbTransaction BeginDbTransaction(IsolationLevel isolationLevel) => throw new NotSupportedException();

        protected override DbCommand CreateDbCommand() => throw new NotSupportedException();
    }
}

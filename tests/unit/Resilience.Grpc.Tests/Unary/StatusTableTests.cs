using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Resilience.Tests.Unary;

/// <summary>Each row of the table of statuses, for methods that are declared idempotent and others, with each kind of pushback, against a real server: attempts
/// are counted where they are made, and the circuit that they moved is looked at.</summary>
public sealed class StatusTableTests
{
    private const int MaxRetries = 2;

    private enum Repeat
    {
        Never,
        IfIdempotent,
        Always,
    }

    /// <summary>The rows of the design, written down here a second time: code of the status, what else holds, whether it is repeated, whether it counts.</summary>
    private static readonly Row[] Rows =
    [
        new(StatusCode.Cancelled, "", Repeat.IfIdempotent, Counts: true),
        new(StatusCode.Unknown, "", Repeat.IfIdempotent, Counts: true),
        new(StatusCode.Unknown, "the service throws", Repeat.IfIdempotent, Counts: true) { Answer = (_, _) => throw new InvalidOperationException("planned"), HasTrailers = false },
        new(StatusCode.InvalidArgument, "", Repeat.Never, Counts: false),
        new(StatusCode.NotFound, "", Repeat.Never, Counts: false),
        new(StatusCode.AlreadyExists, "", Repeat.Never, Counts: false),
        new((StatusCode)7, "", Repeat.Never, Counts: false),
        new(StatusCode.FailedPrecondition, "", Repeat.Never, Counts: false),
        new(StatusCode.OutOfRange, "", Repeat.Never, Counts: false),
        new(StatusCode.Unimplemented, "", Repeat.Never, Counts: false),
        new(StatusCode.DeadlineExceeded, "the server says it", Repeat.Never, Counts: true),
        new(StatusCode.ResourceExhausted, "", Repeat.Never, Counts: false),
        new(StatusCode.ResourceExhausted, "with RetryInfo", Repeat.IfIdempotent, Counts: false) { Details = RetryInfoTests.Details(0, 1_000_000) },
        new(StatusCode.Aborted, "", Repeat.Never, Counts: false),
        new(StatusCode.Internal, "", Repeat.Never, Counts: true),
        new(StatusCode.DataLoss, "", Repeat.Never, Counts: true),
        new(StatusCode.Unavailable, "", Repeat.IfIdempotent, Counts: true),
        new(StatusCode.Unavailable, "headers were sent before", Repeat.IfIdempotent, Counts: true) { SendsHeaders = true },
        new(StatusCode.Unauthenticated, "", Repeat.Never, Counts: false),
        new((StatusCode)99, "a code that is none", Repeat.IfIdempotent, Counts: true) { HasTrailers = true },
    ];

    private static readonly string?[] Pushbacks = [null, "0", "50", "-1", "x", "2147483648", "1.5"];

    public enum Planted
    {
        Nothing,
        RepeatsUnavailable,
        CallsConflictsFailures,
        ForgetsWhatIsDeclared,
        IgnoresInternal,
    }

    [Fact]
    public async Task Every_status_is_repeated_and_counted_as_the_table_says_for_each_method_and_each_pushback() =>
        (await ComplaintsAsync(Planted.Nothing)).Should().BeEmpty();

    [Theory]
    [InlineData(Planted.RepeatsUnavailable, "Unavailable")]
    [InlineData(Planted.CallsConflictsFailures, "Aborted")]
    [InlineData(Planted.ForgetsWhatIsDeclared, "Unknown")]
    [InlineData(Planted.IgnoresInternal, "Internal")]
    public async Task A_client_that_repeats_or_counts_otherwise_is_found(Planted bug, string named) =>
        (await ComplaintsAsync(bug)).Should().NotBeEmpty().And.Contain(c => c.StartsWith(named, StringComparison.Ordinal));

    [Fact]
    public void Every_code_of_gRPC_has_a_row() =>
        Enum.GetValues<StatusCode>().Except([StatusCode.OK]).Except(Rows.Select(r => r.Code)).Should().BeEmpty();

    private static async Task<string[]> ComplaintsAsync(Planted bug)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        List<Task<string?>> cases = [];
        foreach (Row row in Rows)
        {
            foreach (string? pushback in Pushbacks.Where(p => p is null || row.HasTrailers))
            {
                cases.Add(RunAsync(server, channel, row, isIdempotent: true, pushback, bug));
                cases.Add(RunAsync(server, channel, row, isIdempotent: false, pushback, bug));
            }
        }

        return [.. (await Task.WhenAll(cases)).OfType<string>()];
    }

    private static async Task<string?> RunAsync(OrdersServer server, GrpcChannel channel, Row row, bool isIdempotent, string? pushback, Planted bug)
    {
        OrderPlan plan = server.Plan(row.Answer ?? (async (_, context) =>
        {
            if (row.SendsHeaders) await context.WriteResponseHeadersAsync([]);
            if (pushback is not null) context.ResponseTrailers.Add("grpc-retry-pushback-ms", pushback);
            if (row.Details is { } details) context.ResponseTrailers.Add("grpc-status-details-bin", details);
            throw new RpcException(new(row.Code, "planned"));
        }));
        GrpcResilience resilience = GrpcResilience.Standard("orders", Options(bug));
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        RpcException failed = await Assert.ThrowsAsync<RpcException>(() => (isIdempotent ? client.GetAsync(plan.Order) : client.PlaceAsync(plan.Order)).ResponseAsync);
        CircuitSnapshot circuit = resilience.Own.CircuitBreaker!.TakeSnapshot();
        int attempts = 1 + (Repeats(row, isIdempotent, pushback) ? MaxRetries : 0), counted = row.Counts ? attempts : 0;
        StatusCode code = (int)row.Code > 16 ? StatusCode.Unknown : row.Code;
        return (plan.Requests, circuit.Failures, circuit.Calls, Known(failed.StatusCode)) == (attempts, counted, counted, code) ? null
            : $"{row.Code} {row.When}, idempotent {isIdempotent}, pushback {pushback}: {plan.Requests} requests for {attempts}, {circuit.Failures} of {circuit.Calls} counted for {counted}, "
                + $"ended with {failed.StatusCode}";
    }

    private static StatusCode Known(StatusCode code) => (int)code > 16 ? StatusCode.Unknown : code;

    private static bool Repeats(Row row, bool isIdempotent, string? pushback) => pushback switch
    {
        null => row.Repeat == Repeat.Always || (row.Repeat == Repeat.IfIdempotent && isIdempotent),
        "0" or "50" => true,
        _ => false,
    };

    private static GrpcResilienceOptions Options(Planted bug)
    {
        GrpcResilienceOptions options = new()
        {
            Retry = new() { MaxRetries = MaxRetries, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero, RetryAfterJitter = 0 },
            RepeatUnavailable = bug == Planted.RepeatsUnavailable,
            Classify = bug switch
            {
                Planted.CallsConflictsFailures => static rules => rules.On<RpcException>(static e => e.StatusCode == StatusCode.Aborted ? Verdict.Failure : null),
                Planted.IgnoresInternal => static rules => rules.On<RpcException>(static e => e.StatusCode == StatusCode.Internal ? Verdict.Ignored : null),
                _ => null,
            },
        };
        return bug == Planted.ForgetsWhatIsDeclared ? options : options.Idempotent(Orders.Descriptor);
    }

    private sealed record Row(StatusCode Code, string When, Repeat Repeat, bool Counts)
    {
        internal Func<int, ServerCallContext, Task<int>>? Answer { get; init; }

        internal byte[]? Details { get; init; }

        internal bool SendsHeaders { get; init; }

        internal bool HasTrailers { get; init; } = true;
    }
}

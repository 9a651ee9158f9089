using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Tests;

/// <summary>What is done with the key for each status, however the method says it, before and after the point of no return.</summary>
public sealed class StatusTests
{
    /// <summary>What a repetition meets: the first answer, a new execution, or the word that it must wait because it may have been done.</summary>
    private static readonly Dictionary<StatusCode, (string Before, string After)> Expected = new()
    {
        [StatusCode.OK] = ("kept", "kept"),
        [StatusCode.Cancelled] = ("held", "kept"),
        [StatusCode.Unknown] = ("held", "kept"),
        [StatusCode.InvalidArgument] = ("kept", "kept"),
        [StatusCode.DeadlineExceeded] = ("held", "kept"),
        [StatusCode.NotFound] = ("kept", "kept"),
        [StatusCode.AlreadyExists] = ("kept", "kept"),
        [StatusCode.PermissionDenied] = ("released", "kept"),
        [StatusCode.Unauthenticated] = ("released", "kept"),
        [StatusCode.ResourceExhausted] = ("released", "kept"),
        [StatusCode.FailedPrecondition] = ("kept", "kept"),
        [StatusCode.Aborted] = ("released", "kept"),
        [StatusCode.OutOfRange] = ("kept", "kept"),
        [StatusCode.Unimplemented] = ("released", "kept"),
        [StatusCode.Internal] = ("held", "kept"),
        [StatusCode.Unavailable] = ("released", "kept"),
        [StatusCode.DataLoss] = ("held", "kept"),
    };

    [Fact]
    public async Task Every_status_is_kept_released_or_held_as_the_table_says()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey(Shop.Charge).WhenInFlight = WhenInFlight.Reject);
        Expected.Keys.Should().BeEquivalentTo(Enum.GetValues<StatusCode>(), "no status is without a row");
        foreach ((StatusCode code, (string before, string after)) in Expected)
        {
            foreach (string how in new[] { "returned", "thrown", "thrown with what caused it" })
            {
                // A transport says UNAVAILABLE with what broke it: of such a call of the method's own nothing is known.
                bool isOfTransport = code == StatusCode.Unavailable && how == "thrown with what caused it";
                (await BecomesOfAsync(shop, book, code, how, isPast: false)).Should().Be(isOfTransport ? "held" : before, "{0}, {1}", code, how);
                (await BecomesOfAsync(shop, book, code, how, isPast: true))
                    .Should().Be(isOfTransport ? "unknown" : after, "{0} past the point of no return, {1}", code, how);
            }
        }
    }

    [Theory]
    [InlineData(IdempotencyDisposition.Keep, "kept")]
    [InlineData(IdempotencyDisposition.Release, "released")]
    [InlineData(IdempotencyDisposition.Hold, "held")]
    [InlineData(IdempotencyDisposition.KeepAsOutcomeUnknown, "kept")]
    public async Task A_status_that_is_named_in_the_options_is_treated_as_they_say(IdempotencyDisposition chosen, string what)
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book, o =>
        {
            o.RequireKey(Shop.Charge).WhenInFlight = WhenInFlight.Reject;
            foreach (StatusCode code in Enum.GetValues<StatusCode>()) o.Statuses[code] = chosen;
        });

        foreach (StatusCode code in new[] { StatusCode.OK, StatusCode.Internal, StatusCode.Unavailable, StatusCode.InvalidArgument })
            (await BecomesOfAsync(shop, book, code, "thrown", isPast: false)).Should().Be(what, "{0}", code);
    }

    [Fact]
    public async Task A_rejection_is_replayed_with_its_detail_and_its_details_and_no_client_asks_for_it_again()
    {
        Book book = new()
        {
            Answer = (_, _, context) =>
            {
                context.ResponseTrailers.Add("first", "1");
                throw new RpcException(new(StatusCode.FailedPrecondition, "no money"),
                    new Metadata { { "grpc-status-details-bin", [8, 9] }, { "second", "2" } });
            },
        };
        await using Shop shop = await Shop.OpenAsync(book);

        Reply first = await shop.ChargeAsync(), second = await shop.ChargeAsync();

        second.Status.Detail.Should().Be("no money").And.Be(first.Status.Detail);
        second.Code.Should().Be(StatusCode.FailedPrecondition);
        ReplayTests.Said(first).Should().Equal("first=1", "grpc-status-details-bin=0809", "second=2");
        ReplayTests.Said(second).Should().Equal([.. ReplayTests.Said(first), "idempotency-replayed=true", "grpc-retry-pushback-ms=-1"]);
        book.Charges.Should().Be(1);
    }

    /// <summary>Exceptions that are no answer, and what a repetition meets.</summary>
    public static TheoryData<string, string> Thrown => new()
    {
        { "error", "held" }, { "cancelled", "held" }, { "of a call that broke", "held" },
        { "of a call that was never made", "released" }, { "rejected", "released" },
        { "timed out", "held" }, { "null", "held" },
    };

    [Theory]
    [MemberData(nameof(Thrown))]
    public async Task An_exception_that_is_no_answer_is_judged_by_what_it_says_of_the_work(string kind, string what)
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey(Shop.Charge).WhenInFlight = WhenInFlight.Reject);
        book.Answer = async (number, _, _) => kind == "null" ? null! : number == 1 ? throw await NewAsync(kind) : new() { Number = number };

        Reply first = await shop.ChargeAsync(), second = await shop.ChargeAsync();

        first.Code.Should().NotBe(StatusCode.OK);
        Kind(second, book.Charges, 1).Should().Be(what);
    }

    [Fact]
    public async Task After_the_point_of_no_return_an_exception_leaves_the_outcome_unknown_and_no_client_repeats_the_call()
    {
        Book book = new()
        {
            Answer = (_, _, context) =>
            {
                context.GetIdempotencyClaim()!.PassPointOfNoReturn();
                throw new InvalidOperationException("half done");
            },
        };
        await using Shop shop = await Shop.OpenAsync(book);
        await shop.ChargeAsync();

        (await shop.ChargeAsync()).Should().Match<Reply>(r => r.Code == StatusCode.Aborted && r.Problem == "outcome-unknown" && r.Pushback == "-1");
        book.Charges.Should().Be(1);
    }

    private static async Task<Exception> NewAsync(string kind)
    {
        switch (kind)
        {
            case "error": return new InvalidOperationException("planned");
            case "cancelled": return new OperationCanceledException();
            case "of a call that broke": return new RpcException(new(StatusCode.Unavailable, "", new HttpRequestException("broke", new IOException("reset"))));
            case "of a call that was never made":
                return new RpcException(new(StatusCode.Unavailable, "", new HttpRequestException(HttpRequestError.ConnectionError)));
            default:
                // What our own client throws, in both of its forms.
                GrpcResilienceOptions options = new()
                {
                    Retry = null,
                    TotalTimeout = TimeSpan.FromMilliseconds(50),
                    AttemptTimeout = null,
                    ConcurrencyLimit = new() { MaxConcurrent = 1, MaxQueued = 0 },
                };
                Method<Order, Receipt> behind = new(
                    MethodType.Unary, "s", "m", Marshallers.Create<Order>(_ => [], _ => new()), Marshallers.Create<Receipt>(_ => [], _ => new()));
                GrpcResilience resilience = GrpcResilience.Standard("behind", options);
                TaskCompletionSource never = new();
                ResilienceInterceptor interceptor = new(resilience);
                if (kind == "rejected") _ = Call();
                try
                {
                    await Call().ResponseAsync;
                    throw new InvalidOperationException("It was to fail.");
                }
                catch (GrpcResilienceException ours)
                {
                    return ours;
                }

                AsyncUnaryCall<Receipt> Call() => interceptor.AsyncUnaryCall<Order, Receipt>(
                    new Order(), new(behind, null, default), (_, context) => new(
                        HangAsync(context.Options.CancellationToken), Task.FromResult(new Metadata()), () => Status.DefaultCancelled, () => [], () => { }));

                async Task<Receipt> HangAsync(CancellationToken cancellationToken)
                {
                    await never.Task.WaitAsync(cancellationToken);
                    return new();
                }
        }
    }

    private static async Task<string> BecomesOfAsync(Shop shop, Book book, StatusCode code, string how, bool isPast)
    {
        string key = Guid.NewGuid().ToString();
        book.Answer = (number, _, context) =>
        {
            if (isPast) context.GetIdempotencyClaim()!.PassPointOfNoReturn();
            if (how != "returned" && code != StatusCode.OK)
                throw new RpcException(new(code, $"planned {number}", how == "thrown" ? null : new InvalidOperationException("the cause")));
            context.Status = new(code, code == StatusCode.OK ? "" : $"planned {number}");
            return Task.FromResult(new Receipt { Number = number });
        };
        int before = book.Charges;
        Reply first = await shop.ChargeAsync(key);
        first.Code.Should().Be(code);
        Reply second = await shop.ChargeAsync(key);
        if (second.IsReplayed)
        {
            second.Code.Should().Be(code);
            second.Status.Detail.Should().Be(first.Status.Detail);
        }

        return Kind(second, book.Charges, before + 1);
    }

    private static string Kind(Reply second, int charges, int once) =>
        charges > once ? "released" : second.IsReplayed ? "kept" : second is { Code: StatusCode.Aborted, Problem: "in-flight" } ? "held"
        : second.Problem == "outcome-unknown" ? "unknown" : $"{second.Code} {second.Problem}";
}

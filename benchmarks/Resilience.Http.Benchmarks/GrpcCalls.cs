using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Resilience.Grpc;
using GrpcCallOptions = Grpc.Core.CallOptions;

namespace Resilience.Http.Benchmarks;

/// <summary>What the interceptor of gRPC adds to a unary call whose transport is in memory: beside one that hands the call on, and one that awaits the response.
/// All three give each attempt a deadline and a token that can be cancelled.</summary>
internal sealed class GrpcCalls : IDisposable
{
    private const int WarmUp = 100, Rounds = 601, Calls = 400;

    private static readonly Method<byte[], byte[]> Get = new(
        MethodType.Unary, "shop.Orders", "Get", Marshallers.Create<byte[]>(static b => b, static b => b), Marshallers.Create<byte[]>(static b => b, static b => b));

    private readonly Memory _transport = new();
    private readonly GrpcChannel _channel;
    private readonly CallInvoker[] _three;

    internal GrpcCalls()
    {
        _channel = GrpcChannel.ForAddress("http://memory", new() { HttpHandler = _transport });
        _three =
        [
            _channel.Intercept(new Bare(watches: false)), _channel.Intercept(new Bare(watches: true)),
            _channel.Intercept(new ResilienceInterceptor(GrpcResilience.Standard("orders"))),
        ];
    }

    internal static string Report()
    {
        StringBuilder text = new();
        text.AppendLine("# What the interceptor of gRPC adds to a call").AppendLine()
            .AppendLine(CultureInfo.InvariantCulture, $"Made on {DateTime.UtcNow:yyyy-MM-dd} by `dotnet run -c Release --project benchmarks/Resilience.Http.Benchmarks -- grpc`: a unary call over a transport in memory, three interceptors that take turns in one process.")
            .AppendLine(CultureInfo.InvariantCulture, $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors, {RuntimeInformation.OSDescription.Split(' ')[0]}. A virtual machine that others share: read the differences, not the whole.")
            .AppendLine().AppendLine("*Adds* is the median, over the rounds, of the processor time of the process, the collector's included, above the other one's in the same round, with the middle half of the rounds in brackets. The aim: at most 300 ns over one that does nothing.")
            .AppendLine().AppendLine("| call | hands it on | ours adds over it | ours adds over one that awaits the response |")
                .AppendLine("|---|---|---|---|");
        using GrpcCalls calls = new();
        foreach (bool suspends in new[] { false, true }) calls.Row(suspends); // the first rows of a process do not count: the compiler is at work
        foreach (bool suspends in new[] { false, true }) text.AppendLine(calls.Row(suspends));
        return text.ToString();
    }

    private string Row(bool suspends)
    {
        for (int i = 0; i < WarmUp; i++)
        {
            foreach (CallInvoker one in _three) Nanoseconds(one, suspends);
        }

        double[][] times = [new double[Rounds], new double[Rounds], new double[Rounds]];
        for (int round = 0; round < Rounds; round++)
        {
            for (int turn = 0; turn < 3; turn++)
            {
                int who = (turn + round) % 3;
                times[who][round] = Nanoseconds(_three[who], suspends);
            }
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"| answered {(suspends ? "later" : "at once")} | {Quartiles(times[0]).Middle:F0} ns | {Difference(times[2], times[0])} | {Difference(times[2], times[1])} |");
    }

    private double Nanoseconds(CallInvoker invoker, bool suspends)
    {
        _transport.Suspends = suspends;
        byte[] request = [1, 2, 3];
        TimeSpan start = Environment.CpuUsage.TotalTime;
        for (int i = 0; i < Calls; i++)
        {
            AsyncUnaryCall<byte[]> call = invoker.AsyncUnaryCall(Get, null, default, request);
            _transport.Answer();
            if (!call.ResponseAsync.IsCompletedSuccessfully) call.ResponseAsync.Wait();
        }

        return (Environment.CpuUsage.TotalTime - start).TotalNanoseconds / Calls;
    }

    private static string Difference(double[] more, double[] less)
    {
        (double low, double middle, double high) = Quartiles([.. more.Zip(less, static (m, l) => m - l)]);
        return string.Create(CultureInfo.InvariantCulture, $"{middle:F0} ns ({low:F0} to {high:F0})");
    }

    private static (double Low, double Middle, double High) Quartiles(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[sorted.Length / 4], sorted[sorted.Length / 2], sorted[sorted.Length * 3 / 4]);
    }

    public void Dispose()
    {
        _channel.Dispose();
        _transport.Dispose();
    }

    private sealed class Bare(bool watches) : Interceptor
    {
        private static readonly CancellationToken Token = new CancellationTokenSource().Token;

        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            GrpcCallOptions options = context.Options.WithDeadline(DateTime.UtcNow.AddSeconds(7)).WithCancellationToken(Token);
            AsyncUnaryCall<TResponse> call = continuation(request, new(context.Method, context.Host, options));
            return watches ? new(WatchAsync(call.ResponseAsync), call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose) : call;
        }

        private static async Task<TResponse> WatchAsync<TResponse>(Task<TResponse> response) => await response.ConfigureAwait(false);
    }

    /// <summary>Answers each call with an empty message, at once or when it is told to.</summary>
    private sealed class Memory : HttpMessageHandler
    {
        private TaskCompletionSource<HttpResponseMessage>? _waiting;

        internal bool Suspends { get; set; }

        internal void Answer() => Interlocked.Exchange(ref _waiting, null)?.SetResult(Response());

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (!Suspends) return Task.FromResult(Response());
            _waiting = new();
            return _waiting.Task;
        }

        private static HttpResponseMessage Response()
        {
            ByteArrayContent body = new([0, 0, 0, 0, 0]);
            body.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
            HttpResponseMessage response = new(HttpStatusCode.OK) { Content = body, Version = HttpVersion.Version20 };
            response.TrailingHeaders.TryAddWithoutValidation("grpc-status", "0");
            return response;
        }
    }
}

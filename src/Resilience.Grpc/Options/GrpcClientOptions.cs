using Google.Protobuf.Reflection;
using Grpc.Core;
using Resilience.Extensibility;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>What the interceptor of a gRPC client does besides running its policies: which methods may be repeated, keys, credentials, targets.</summary>
public abstract class GrpcClientOptions : PolicyOptions
{
    private protected const string FirstMessageTimeoutName = "first-message-timeout";

    private protected static readonly TimeSpan Min = TimeSpan.FromMilliseconds(1);

    private HashSet<string> _idempotent = new(StringComparer.Ordinal);
    private HashSet<string> _keyed = new(StringComparer.Ordinal);
    private readonly List<(string Option, string Path)> _wrongPaths = [];

    private protected GrpcClientOptions()
    {
    }

    /// <summary>How long an attempt of a server stream may take to its first message, 1 ms to a day; then it is repeated. Default null: as long as it
    /// likes, because a subscription may have nothing to say for hours.</summary>
    public TimeSpan? FirstMessageTimeout { get; set; }

    /// <summary>How long a server stream may be silent between two messages, 1 ms to a day; then it fails with <c>DEADLINE_EXCEEDED</c>. Default null: as
    /// long as it likes.</summary>
    public TimeSpan? StreamIdleTimeout { get; set; }

    /// <summary>Whether <c>UNAVAILABLE</c> is repeated for methods that are not declared idempotent. Default false: it is also what a client hears
    /// when the connection breaks after the server has got the request. Set it where the server is known to say it of what it has not begun.</summary>
    public bool RepeatUnavailable { get; set; }

    /// <summary>The metadata whose presence says that repeating a call does no harm, whatever its method. Default <c>idempotency-key</c>.</summary>
    public string IdempotencyHeader { get; set; } = "idempotency-key";

    /// <summary>Makes the key of a call of a method that is idempotent by key (<c>IdempotentByKey</c>): 1 to 255 visible ASCII characters without
    /// quotes, backslashes, commas and semicolons; null: this call gets none. Called once for each call, not for each attempt. What it throws reaches the
    /// caller. Default null: a random UUID.</summary>
    public Func<IMethod, string?>? GenerateKey { get; set; }

    /// <summary>The key under which our own caller asked for what we are doing, with its scope, if there is one (in a method of gRPC:
    /// <c>context.GetIdempotencyKey()</c>): the call's key is then derived from it and the method, so that our caller's retry repeats our calls under the same
    /// keys. Default null: not derived.</summary>
    /// <remarks>If one inbound call makes two calls of one method, give them keys of their own in the metadata.</remarks>
    public Func<IMethod, IdempotencyKey?>? FromInbound { get; set; }

    /// <summary>To which hosts, as <c>name:port</c>, the class of the call and the attempts of the request on whose behalf it is made are sent
    /// (<c>x-request-criticality</c>, <c>x-request-attempt</c>): those that are yours. Default null: names without a dot, as service discovery and containers
    /// use them, and loopback. What it throws is counted and means false. A deadline is sent to all hosts: gRPC has it.</summary>
    public Func<string, bool>? PropagateTo { get; set; }

    /// <summary>Gets new credentials when a server answers <c>UNAUTHENTICATED</c>. True: it has them, and the call is sent once more <b>within the same
    /// attempt</b>, so it costs no retry and no budget, and moves no circuit. Default null: that answer is the caller's.</summary>
    /// <remarks>
    /// <para>It is given the method that was called, and a token. New credentials go where call credentials or an interceptor find them that run for each
    /// attempt, as those of the channel do. Also a call that must not be made twice is sent again, because <c>UNAUTHENTICATED</c> says that nothing was done.
    /// Unary calls, and server streams until their first message.</para>
    /// <para>Asked once for each call, and once at a time for the client: calls that are rejected meanwhile wait for the same answer, and those that were sent
    /// with the former credentials take it. What it throws is counted and means false. Its token is cancelled when no call waits for it. Not asked where the
    /// server pushes back.</para>
    /// </remarks>
    public Func<IMethod, CancellationToken, ValueTask<bool>>? RefreshCredentials { get; set; }

    /// <summary>What shares a circuit, a budget and a limit: methods for which this gives the same text. Default null: all of the client's target. A throw or
    /// null means the empty text. Asked once for each method.</summary>
    public Func<IMethod, string?>? PartitionBy { get; set; }

    /// <summary>How many targets or partitions may have circuits, budgets and limits of their own, 1 to 100,000. Default 1,000. Further ones share
    /// <see cref="GrpcResilience.Overflow"/>.</summary>
    public int MaxTargets { get; set; } = 1000;

    /// <summary>Rules of yours on what results and errors mean, asked before the table of gRPC. Default null: none. Runs once for each target.</summary>
    /// <example><code>o.Classify = rules => rules.On&lt;RpcException>(e => e.StatusCode == StatusCode.Aborted ? Verdict.Failure : null);</code></example>
    public Func<OutcomeClassifier, OutcomeClassifier>? Classify { get; set; }

    /// <summary>Whether a call that was cancelled, or whose deadline has passed, while it waited here ends with an <see cref="OperationCanceledException"/>, as
    /// channels do with <c>GrpcChannelOptions.ThrowOperationCanceledOnCancellation</c>. Default false: with an <see cref="RpcException"/>. In a container the
    /// setting of the channel is taken.</summary>
    public bool ThrowOperationCanceledOnCancellation { get; set; }

    /// <summary>Codes of findings that you mean, such as <c>RES008</c>, or <c>RES020</c> for a service config that retries below us.</summary>
    public ISet<string> AcceptedWarnings { get; private set; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>The methods that may be repeated, as <c>/service/method</c>.</summary>
    public IReadOnlyCollection<string> IdempotentMethods => _idempotent;

    /// <summary>The methods whose calls get keys, as <c>/service/method</c>.</summary>
    public IReadOnlyCollection<string> KeyedMethods => _keyed;

    /// <inheritdoc/>
    protected sealed override string Kind => "grpc";

    /// <inheritdoc/>
    protected override PolicyOptions CopyCore()
    {
        GrpcClientOptions copy = (GrpcClientOptions)base.CopyCore();
        copy.AcceptedWarnings = new HashSet<string>(AcceptedWarnings, StringComparer.OrdinalIgnoreCase);
        copy._idempotent = new(_idempotent, StringComparer.Ordinal);
        copy._keyed = new(_keyed, StringComparer.Ordinal);
        return copy;
    }

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        CheckSpan(check, nameof(FirstMessageTimeout), FirstMessageTimeout);
        CheckSpan(check, nameof(StreamIdleTimeout), StreamIdleTimeout);
        check.Number(nameof(MaxTargets), MaxTargets, 1, 100_000);
        check.Require(IsKey(IdempotencyHeader), nameof(IdempotencyHeader), IdempotencyHeader, "a key of metadata: lower case letters, digits, -, _ and .");
        foreach ((string option, string path) in _wrongPaths) check.Require(false, option, path, "a service and a method, as /shop.Orders/Get");
    }

    /// <summary>The policies of unary calls, where these options have them.</summary>
    internal abstract void AddTo(ResiliencePipelineBuilder builder);

    /// <summary>The policies of streams, around the circuit, the budget and the limit of the unary calls of the same target.</summary>
    internal abstract void AddTo(ResiliencePipelineBuilder builder, ResiliencePipeline unary, bool mayBegin);

    /// <summary>Whether a method may be repeated.</summary>
    internal bool IsIdempotent(IMethod method) =>
        _idempotent.Count > 0 && (_idempotent.Contains($"/{method.ServiceName}/{method.Name}") || _idempotent.Contains($"/{method.ServiceName}/*"));

    /// <summary>Whether calls of a method get keys.</summary>
    internal bool TakesKey(IMethod method) =>
        _keyed.Count > 0 && method.Type == MethodType.Unary
        && (_keyed.Contains($"/{method.ServiceName}/{method.Name}") || (_keyed.Contains($"/{method.ServiceName}/*") && !IsIdempotent(method)));

    /// <summary>The methods of a service that are declared to be idempotent may be repeated.</summary>
    private protected void AddIdempotent(ServiceDescriptor service)
    {
        ArgumentNullException.ThrowIfNull(service);
        foreach (MethodDescriptor method in service.Methods)
        {
            if (method.GetOptions() is { HasIdempotencyLevel: true, IdempotencyLevel: not MethodOptions.Types.IdempotencyLevel.IdempotencyUnknown })
                _idempotent.Add($"/{service.FullName}/{method.Name}");
        }
    }

    private protected void AddIdempotent(string path, string option) => Add(_idempotent, path, option);

    private protected void AddKeyed(string path, string option) => Add(_keyed, path, option);

    private protected void AddFirstMessageTimeout(ResiliencePipelineBuilder builder)
    {
        if (FirstMessageTimeout is { } first) builder.AddTimeout(new TimeoutOptions { Name = FirstMessageTimeoutName, Timeout = first });
    }

    private protected static void CheckSpan(OptionsCheck check, string option, TimeSpan? span)
    {
        if (span is { } given) check.Span(option, given, Min);
    }

    private void Add(HashSet<string> paths, string path, string option)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = path[0] == '/' ? path : "/" + path;
        int slash = full.LastIndexOf('/');
        if (slash > 1 && slash < full.Length - 1 && full.IndexOf('/', 1) == slash) paths.Add(full);
        else _wrongPaths.Add((option, path));
    }

    private static bool IsKey(string? text) =>
        !string.IsNullOrEmpty(text) && text.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.')
        && !text.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.Ordinal);
}

/// <summary>The same, with the methods that give back the options that they are of.</summary>
/// <typeparam name="TOptions">These options.</typeparam>
public abstract class GrpcClientOptions<TOptions> : GrpcClientOptions
    where TOptions : GrpcClientOptions<TOptions>
{
    private protected GrpcClientOptions()
    {
    }

    /// <summary>The methods of a service whose <c>idempotency_level</c> in the .proto is <c>IDEMPOTENT</c> or <c>NO_SIDE_EFFECTS</c> may be repeated.</summary>
    /// <param name="service">The descriptor that the generated class has: <c>Orders.Descriptor</c>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="service"/> is null.</exception>
    public TOptions Idempotent(ServiceDescriptor service)
    {
        AddIdempotent(service);
        return (TOptions)this;
    }

    /// <summary>A method may be repeated.</summary>
    /// <param name="path">Service and method, as they are called: <c>/shop.Orders/Get</c>. <c>/shop.Orders/*</c>: all methods of the service.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    public TOptions Idempotent(string path)
    {
        AddIdempotent(path, nameof(Idempotent));
        return (TOptions)this;
    }

    /// <summary>A unary method whose server executes it once for each key (<c>Resilience.Grpc.AspNetCore</c>): each call gets a key, the same for all its
    /// attempts, unless its metadata has one, and may be repeated.</summary>
    /// <param name="path">Service and method, as they are called: <c>/shop.Orders/Place</c>. <c>/shop.Orders/*</c>: all unary methods of the service that are
    /// not declared idempotent.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    public TOptions IdempotentByKey(string path)
    {
        AddKeyed(path, nameof(IdempotentByKey));
        return (TOptions)this;
    }
}

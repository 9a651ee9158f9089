using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Grpc.Core;
using Resilience.Extensibility;
using Resilience.Http;

namespace Resilience.Grpc;

/// <summary>Everything that the calls of one gRPC client share: options, and a pipeline for each target. Thread-safe.</summary>
/// <remarks>Make one for each channel and give it to a <see cref="ResilienceInterceptor"/>; in a container <c>AddGrpcResilience</c> does that.</remarks>
public sealed class GrpcResilience
{
    private const int MaxRounds = 8; // of updates that come while a method is looked at

    private readonly ConcurrentDictionary<string, GrpcTarget> _targets = new(StringComparer.Ordinal);
    private readonly BuildGate<string> _builds = new("gRPC target");
    private readonly ConditionalWeakTable<IMethod, MethodFacts> _methods = [];
    private readonly Action<ResiliencePipelineBuilder>? _configure;
    private readonly Action<ResiliencePipelineBuilder>? _build; // null: the standard pipeline
    private readonly object _updating = new(); // one update at a time; calls never wait for it
    private GrpcClientOptions _options;
    private CredentialRefresh<IMethod>? _credentials;
    private volatile bool _channelThrowsCancellation;

    private GrpcResilience(
        string name, GrpcClientOptions options, Action<ResiliencePipelineBuilder>? configure, Action<ResiliencePipelineBuilder>? build, string target)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(target);
        options.ThrowIfInvalid();
        Name = name;
        _options = options;
        _credentials = CredentialsOf(options);
        _configure = configure;
        _build = build;
        _targets[target] = Own = Made(target); // and it checks the order
    }

    /// <summary>The standard pipeline, with or without changes.</summary>
    /// <param name="name">The name of the client, for telemetry and messages.</param>
    /// <param name="options">Null: the defaults. Copied.</param>
    /// <param name="configure">Sees each builder before the policies are added: time, randomness, listeners, classifier, policies around ours. Runs once for
    /// each target, and again for its streams.</param>
    /// <param name="target">Whom the channel calls (<c>orders:443</c>), for the names of pipelines. An interceptor is not told it. Default: empty.</param>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> or <paramref name="target"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    /// <exception cref="ResiliencePipelineException">The times do not fit together, and it is not marked as intended.</exception>
    public static GrpcResilience Standard(
        string name = "", GrpcResilienceOptions? options = null, Action<ResiliencePipelineBuilder>? configure = null, string target = "") =>
        new(name, (options ?? new()).Copy(), configure, null, target);

    /// <summary>A pipeline of your own in place of the standard one. What the statuses of gRPC mean, and what may be repeated, stays as it is.</summary>
    /// <param name="build">Adds the policies of unary calls, from the outermost to the innermost, and rules of yours. Runs once for each target.
    /// <see cref="GrpcRetryBuilderExtensions.AddGrpcRetry"/> is the retry that keeps to what servers push back with.</param>
    /// <param name="name">The name of the client, for telemetry and messages.</param>
    /// <param name="options">Null: the defaults. Copied.</param>
    /// <param name="configure">Sees each builder before the policies are added, those of streams too: time, randomness, listeners.</param>
    /// <param name="target">Whom the channel calls, as with <see cref="Standard"/>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="build"/>, <paramref name="name"/> or <paramref name="target"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    public static GrpcResilience Custom(
        Action<ResiliencePipelineBuilder> build, string name = "", GrpcPipelineOptions? options = null, Action<ResiliencePipelineBuilder>? configure = null,
        string target = "")
    {
        ArgumentNullException.ThrowIfNull(build);
        return new(name, (options ?? new()).Copy(), configure, build, target);
    }

    /// <summary>The name of the client.</summary>
    public string Name { get; }

    /// <summary>The target of the channel.</summary>
    public GrpcTarget Own { get; }

    /// <summary>The targets and partitions that are known now, in no order. <see cref="Overflow"/> is among them once it is in use.</summary>
    public IReadOnlyList<GrpcTarget> Targets => [.. _targets.Values];

    /// <summary>What targets share that found no place; see <see cref="GrpcClientOptions.MaxTargets"/>.</summary>
    public GrpcTarget Overflow => Find("*");

    /// <summary>The policies of unary calls, their options and the findings about their order.</summary>
    public PipelineDescription Describe() => Own.Pipeline.Describe() with { Name = Name };

    /// <summary>Changes the options of all targets; circuits, budgets and limits keep their state. Calls that are under way end by the old policies. Only for a
    /// client that was made with <see cref="Standard"/>.</summary>
    /// <remarks>Everything is checked and built first; if anything is wrong nothing has changed.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="InvalidOperationException">The pipeline is one of your own.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    /// <exception cref="ResiliencePipelineException">The times do not fit together, and it is not marked as intended.</exception>
    public void Update(GrpcResilienceOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!IsStandard) throw new InvalidOperationException("This client has a pipeline of its own: update the pipelines of its Targets.");
        options = options.Copy();
        options.ThrowIfInvalid();
        lock (_updating)
        {
            Dictionary<GrpcTarget, ResiliencePipelineBuilder> builders = _targets.Values.ToDictionary(static t => t, t => NewBuilder(t.Name, options));
            ResiliencePipeline.UpdateAll(builders.Select(static b => KeyValuePair.Create(b.Key.Pipeline, b.Value)));
            if (options.RefreshCredentials != _options.RefreshCredentials) Volatile.Write(ref _credentials, CredentialsOf(options)); // release: it is whole
            Volatile.Write(ref _options, options); // release: a target that is made from now on has them
            foreach (GrpcTarget target in _targets.Values)
            {
                if (!builders.TryGetValue(target, out ResiliencePipelineBuilder? builder))
                    target.Pipeline.Update(builder = NewBuilder(target.Name, options)); // it was made of the old ones meanwhile
                target.Follow(builder);
            }

            _methods.Clear();
        }
    }

    /// <summary>Whether calls that were cancelled end with an <see cref="OperationCanceledException"/>, as those of the channel do.</summary>
    internal bool ThrowsCancellation => _channelThrowsCancellation || Options.ThrowOperationCanceledOnCancellation;

    /// <summary>What the channel of this client does, whose options are known when it is made.</summary>
    internal void Follow(bool throwsCancellation) => _channelThrowsCancellation = throwsCancellation;

    internal bool IsStandard => _build is null;

    /// <summary>How many attempts this client makes of a call at most; 1: it repeats nothing itself.</summary>
    internal long MaxAttempts => Own.Pipeline.Describe().Policies.Aggregate(1L, static (most, policy) => Math.Min(most * MaxOf(policy), int.MaxValue));

    /// <summary>Whether attempts of a call may run beside each other.</summary>
    internal bool IsHedged => Own.Pipeline.Describe().Policies.Any(static p => Hedges(p));

    private static bool Hedges(PolicyDescription policy) => policy is { Role: PolicyRole.Hedging, MaxAttempts: not 1 } || policy.Inner.Any(Hedges);

    private static long MaxOf(PolicyDescription policy) => policy.Role switch
    {
        PolicyRole.Retry or PolicyRole.Hedging => policy.MaxAttempts ?? int.MaxValue,
        _ => policy.Inner.Aggregate(1L, static (most, inner) => Math.Min(most * MaxOf(inner), int.MaxValue)),
    };

    internal GrpcClientOptions Options => Volatile.Read(ref _options); // acquire: pairs with the write in Update

    /// <summary>Gets new credentials where the options say how; otherwise null.</summary>
    internal CredentialRefresh<IMethod>? Credentials => Volatile.Read(ref _credentials); // acquire: pairs with the write in Update

    private static CredentialRefresh<IMethod>? CredentialsOf(GrpcClientOptions options) =>
        options.RefreshCredentials is { } refresh ? new("grpc RefreshCredentials", refresh) : null;

    /// <summary>What is known of a method, found out once.</summary>
    internal MethodFacts FactsOf(IMethod method) => _methods.TryGetValue(method, out MethodFacts? known) ? known : Learn(method);

    /// <summary>Whose circuit, budget and limit a call shares.</summary>
    internal GrpcTarget TargetOf(MethodFacts facts, string? host) =>
        facts.Target ?? (string.IsNullOrEmpty(host) ? Own : Find(host)); // a host of its own is another target of the same channel

    /// <summary>What was made of a name is not of a call: a throw is the user's, and an answer is kept. What was learnt of options that an update has replaced
    /// meanwhile is learnt anew.</summary>
    private MethodFacts Learn(IMethod method)
    {
        for (int round = 1; ; round++)
        {
            GrpcClientOptions options = Options;
            GrpcTarget? target = options.PartitionBy is { } partition ? Find(Partition(partition, method)) : null;
            MethodFacts facts = _methods.GetValue(method, m => new(this, m.FullName, options.IsIdempotent(m), options.TakesKey(m), target));
            if (options == Options) return facts;
            _methods.Remove(method);
            if (round == MaxRounds) return facts; // of this call alone
        }
    }

    private static string Partition(Func<IMethod, string?> partition, IMethod method)
    {
        try
        {
            return partition(method) ?? "";
        }
        catch (Exception error)
        {
            SafeCalls.Report("grpc PartitionBy", error);
            return "";
        }
    }

    private GrpcTarget Find(string name)
    {
        if (_targets.TryGetValue(name, out GrpcTarget? known)) return known;
        if (name != "*" && _targets.Count >= Options.MaxTargets) return Find("*");
        return _builds.GetOrBuild(name, n => _targets.GetValueOrDefault(n), n => _targets[n] = Made(n));
    }

    private GrpcTarget Made(string target)
    {
        ResiliencePipelineBuilder builder = NewBuilder(target, Options);
        return new(target, builder.Build(), builder, MakeForStreams);
    }

    private ResiliencePipeline MakeForStreams(GrpcTarget target, bool mayBegin)
    {
        GrpcClientOptions options = Options;
        ResiliencePipelineBuilder builder = NewBuilder(target.Name);
        target.Share(builder);
        options.AddTo(builder, target.Pipeline, mayBegin);
        return builder.Build();
    }

    private ResiliencePipelineBuilder NewBuilder(string target, GrpcClientOptions options)
    {
        ResiliencePipelineBuilder builder = NewBuilder(target);
        options.AddTo(builder);
        _build?.Invoke(builder);
        builder.Classify(static rules => rules.GrpcOfInterceptor()); // also where a classifier was set that knows nothing of it
        if (options.Classify is { } rules) builder.Classify(rules);
        return builder;
    }

    private ResiliencePipelineBuilder NewBuilder(string target)
    {
        ResiliencePipelineBuilder builder = new() { Name = Name.Length == 0 ? target : target.Length == 0 ? Name : $"{Name}/{target}" };
        _configure?.Invoke(builder);
        return builder;
    }
}

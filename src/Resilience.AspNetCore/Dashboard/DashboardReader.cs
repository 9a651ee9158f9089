using System.Globalization;
using System.Runtime.CompilerServices;
using Resilience.Chaos;
using Resilience.Extensibility;
using Resilience.Http;
using Resilience.Idempotency;

namespace Resilience;

/// <summary>Reads what the container has made: pipelines, clients with their authorities, the gate and the pipeline before its store.</summary>
/// <remarks>Asks for nothing that was not made already: looking changes nothing.</remarks>
internal sealed class DashboardReader(
    ResiliencePipelineProvider pipelines, HttpResilienceProvider? clients, IdempotencyGates? gates, ResilienceDashboardOptions options)
{
    private readonly StateIds _ids = new();

    /// <summary>One that can be looked at.</summary>
    internal sealed record Source(
        string Id, string Name, string Kind, string Detail, string Series, Func<PipelineDescription> Describe, Func<IReadOnlyList<PolicyState>> States);

    /// <summary>What was read of one: how it is set and what it is doing, in the same order.</summary>
    internal sealed record Reading(PipelineLayout Layout, IReadOnlyList<PolicyNow> Now);

    /// <summary>Everything that is shown, and how many are not.</summary>
    internal (IReadOnlyList<Reading> Shown, int Hidden) Read(ILookup<(string Pipeline, string Policy), CountNow>? counts)
    {
        List<Source> all = [];
        int hidden = AddPipelines(all);
        foreach (HttpResilience client in (clients?.Made ?? []).OrderBy(c => c.Name, StringComparer.Ordinal)) hidden += AddClient(all, client);
        foreach (IdempotencyGate gate in gates?.Made ?? []) AddGate(all, gate);
        return ([.. all.Select(s => Read(s, counts))], hidden);
    }

    /// <summary>The circuit, the switch or the gate of this id, if it is still there.</summary>
    internal object? Find(string id)
    {
        IEnumerable<object> states = pipelines.Views.SelectMany(v => v.States)
            .Concat((clients?.Made ?? []).SelectMany(c => c.Authorities.Append(c.Overflow)).SelectMany(a => a.Pipeline.States))
            .Concat((gates?.Made ?? []).SelectMany(g => g.Store is GuardedIdempotencyStore guarded ? guarded.Pipeline.States : []))
            .Select(s => s.State).Concat(gates?.Made ?? []);
        return states.SelectMany(s => s is CircuitBreakerPartitions many ? many.All().Select(b => (object)b.Value) : [s])
            .FirstOrDefault(s => _ids.IsKnown(s, id));
    }

    private int AddPipelines(List<Source> all)
    {
        PipelineView[] views = [.. pipelines.Views.OrderBy(v => v.ToString(), StringComparer.Ordinal)];
        foreach (PipelineView view in Foremost(views, v => v.States))
        {
            string kind = view.ResultType is { } type ? $"pipeline for {type.Name}" : "pipeline";
            all.Add(new($"p:{view}", view.ToString(), "pipeline", kind, view.Name, view.Describe, () => view.States));
        }

        return Math.Max(0, views.Length - options.MaxShown);
    }

    private int AddClient(List<Source> all, HttpResilience client)
    {
        HttpAuthority[] authorities = [.. client.Authorities.OrderBy(a => a.Name, StringComparer.Ordinal)];
        foreach (HttpAuthority authority in authorities.Length == 0 ? [client.Overflow] : Foremost(authorities, a => a.Pipeline.States))
        {
            string name = client.Name.Length == 0 ? authority.Name : $"{client.Name}/{authority.Name}";
            string detail = authorities.Length == 0 ? "HttpClient, no request yet" : "HttpClient";
            all.Add(new($"h:{name}", name, "http", detail, name, authority.Pipeline.Describe, () => authority.Pipeline.States));
        }

        return Math.Max(0, authorities.Length - options.MaxShown);
    }

    private static void AddGate(List<Source> all, IdempotencyGate gate)
    {
        PolicyDescription policy = new(gate.Name, PolicyRole.Idempotency) { Options = [new("store", gate.Store.Traits.Name)] };
        all.Add(new($"g:{gate.Name}", gate.Name, "gate", "idempotency gate", "", () => new(gate.Name, [policy], []), () => [new(gate.Name, gate)]));
        if (gate.Store is not GuardedIdempotencyStore { Pipeline: { } guard } || guard.States.Count == 0) return;
        all.Add(new($"s:{guard.Name}", guard.Name, "store", "before the store of keys", guard.Name, guard.Describe, () => guard.States));
    }

    /// <summary>As many as are shown; if that is not all, those in trouble first.</summary>
    private IEnumerable<T> Foremost<T>(T[] all, Func<T, IReadOnlyList<PolicyState>> statesOf) => all.Length <= options.MaxShown
        ? all
        : all.OrderByDescending(one => statesOf(one).Any(IsInTrouble)).Take(options.MaxShown);

    private static bool IsInTrouble(PolicyState state) => state.ReadStatus() is { } now && now.Condition != PolicyCondition.Ok;

    private Reading Read(Source source, ILookup<(string Pipeline, string Policy), CountNow>? counts)
    {
        PipelineDescription description;
        List<PolicyState> states;
        try
        {
            description = source.Describe();
            states = [.. source.States()];
        }
        catch (Exception error) // a policy of the user's may fail to describe itself; the others shall be seen all the same
        {
            WarningLayout problem = new("", $"A policy of this pipeline could not be described: {error.GetType().Name}.");
            return new(new(source.Id, source.Name, source.Kind, source.Detail, [], [problem]) { Series = source.Series }, []);
        }

        List<PolicyLayout> policies = [];
        List<PolicyNow> now = [];
        Walk(description.Policies, 0);
        foreach (PolicyState left in states) Add(new(left.PolicyName, PolicyRole.Other), 0, left); // described under another name
        WarningLayout[] warnings = [.. description.Warnings.Select(w => new WarningLayout(w.Code, w.Message))];
        return new(new(source.Id, source.Name, source.Kind, source.Detail, policies, warnings) { Series = source.Series }, now);

        void Walk(IReadOnlyList<PolicyDescription> described, int depth)
        {
            foreach (PolicyDescription policy in described)
            {
                int index = states.FindIndex(s => s.PolicyName == policy.Name); // states come in the order of the policies
                Add(policy, depth, index < 0 ? null : states[index]);
                if (index >= 0) states.RemoveAt(index);
                Walk(policy.Inner, depth + 1);
            }
        }

        void Add(PolicyDescription policy, int depth, PolicyState? state)
        {
            string id = string.Create(CultureInfo.InvariantCulture, $"{source.Id}/{policies.Count}");
            policies.Add(new(id, policy.Name, Spaced(policy.Role), depth, [.. policy.Options.Select(o => new OptionLayout(o.Key, o.Value))]));
            CountNow[]? counted = counts is null ? null : [.. counts[(source.Series, policy.Name)]];
            now.Add(Now(id, state) with { Counts = counted is { Length: > 0 } ? counted : null });
        }
    }

    /// <summary>What a policy is doing, by what it says of itself; in addition what people can do to it here. What says nothing of itself is not shown: it
    /// may be confidential.</summary>
    private PolicyNow Now(string id, PolicyState? state)
    {
        PolicyNow now = new(id);
        try
        {
            return state?.State switch
            {
                CircuitBreaker one => now with { Circuits = new([Circuit(one, null)], 1, false, one.State == CircuitState.Closed ? 0 : 1) },
                CircuitBreakerPartitions many => now with { Circuits = Circuits(many) },
                IdempotencyGate gate => now with
                {
                    Status = Status(state.Value),
                    Store = gate.Store.Traits.Name,
                    Gate = options.EnableResolving ? _ids.Of(gate) : null,
                },
                ChaosSwitch chaos => now with { Status = Status(state.Value), Chaos = new(_ids.Of(chaos), chaos.IsOn) },
                null => now,
                _ => now with { Status = Status(state.Value) },
            };
        }
        catch (Exception error) // clocks may be the user's
        {
            return now with { Status = new("warning", $"could not be read: {error.GetType().Name}", null, [], []) };
        }
    }

    private StatusNow? Status(PolicyState state)
    {
        if (state.ReadStatus() is not { } now) return null;
        double? share = now.Readings.FirstOrDefault(r => r.Max > 0) is { } measured ? Finite(measured.Value / measured.Max!.Value) : null;
        PartNow[] parts =
        [
            .. now.Parts.Where(p => options.ShowPartitionKeys || p.Value.Condition != PolicyCondition.Ok)
                .OrderByDescending(p => p.Value.Condition).ThenBy(p => p.Key, StringComparer.Ordinal).Take(options.MaxShown)
                .Select(p => options.ShowPartitionKeys ? new PartNow(p.Key, p.Value.Text) : new PartNow("(hidden)", Words.Of(p.Value.Condition))),
        ];
        return new(
            Words.Of(now.Condition), now.Text, share, [.. now.Readings.Select(r => new ReadingNow(r.Name, Finite(r.Value), Finite(r.Max), r.Unit))], parts);
    }

    /// <summary>JSON has no word for what is not a number.</summary>
    private static double? Finite(double? value) => value is { } number && double.IsFinite(number) ? number : null;

    private CircuitsNow Circuits(CircuitBreakerPartitions many)
    {
        CircuitNow[] all = [.. many.All().Select(b => Circuit(b.Value, options.ShowPartitionKeys ? b.Key : "(hidden)"))];
        int notClosed = all.Count(c => c.State != "closed");
        IEnumerable<CircuitNow> shown = all.Where(c => options.ShowPartitionKeys || c.State != "closed")
            .OrderBy(c => c.State == "closed").ThenByDescending(c => c.Failures).ThenBy(c => c.Key, StringComparer.Ordinal).Take(options.MaxShown);
        return new([.. shown], all.Length, true, notClosed);
    }

    private CircuitNow Circuit(CircuitBreaker breaker, string? key)
    {
        CircuitSnapshot s = breaker.TakeSnapshot();
        return new(_ids.Of(breaker), key, Words.Of(s.State), s.Epoch)
        {
            InStateMs = (long)s.InState.TotalMilliseconds,
            Calls = s.Calls,
            Failures = s.Failures,
            SlowCalls = s.SlowCalls,
            OverdueCalls = s.OverdueCalls,
            ConsecutiveFailures = s.ConsecutiveFailures,
            ProbesOut = s.ProbesOut,
            ProbesSucceeded = s.ProbesSucceeded,
            BreakLeftMs = (long?)s.RetryAfter?.TotalMilliseconds,
            Cause = s.Cause.Rule == TripRule.None ? null : s.Cause.ToString(),
            MinimumCalls = s.MinimumCalls,
            OpensAtRatio = s.OpensAtFailureRatio,
            OpensAtConsecutive = s.OpensAtConsecutiveFailures,
        };
    }

    /// <summary>"ConcurrencyLimit" is "concurrency limit".</summary>
    private static string Spaced(PolicyRole role) =>
        string.Concat(role.ToString().Select((c, i) => char.IsUpper(c) ? (i > 0 ? " " : "") + char.ToLowerInvariant(c) : c.ToString()));

    /// <summary>Numbers by which an action finds the circuit or the switch that was meant, whatever was updated meanwhile. Holds none alive.</summary>
    private sealed class StateIds
    {
        private readonly ConditionalWeakTable<object, string> _ids = [];
        private long _last;

        internal string Of(object state) => _ids.GetValue(state, _ => Interlocked.Increment(ref _last).ToString(CultureInfo.InvariantCulture));

        internal bool IsKnown(object state, string id) => _ids.TryGetValue(state, out string? known) && known == id;
    }
}

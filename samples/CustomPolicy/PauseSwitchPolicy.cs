using System.Diagnostics.Metrics;
using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

internal sealed class PauseSwitchPolicy : AdmissionPolicy
{
    private readonly PolicyEnvironment _environment;
    private readonly CarriedState<PauseSwitch, PauseSwitchOptions>? _carried; // null: the switch is shared, and an update changes nothing about it
    private readonly PauseSwitch _pause;
    private readonly Counter<long> _rejections;

    internal PauseSwitchPolicy(PauseSwitch? shared, PauseSwitchOptions options, PolicyEnvironment environment)
    {
        _environment = environment;
        _carried = shared is null ? new(this, environment, options, static (o, e) => new(o, e), static (pause, o, _) => pause.Update(o)) : null;
        _pause = shared ?? _carried!.State;
        _rejections = environment.Meter.CreateCounter<long>("pause_switch.rejections", "{call}", "Calls that a pause has rejected.");
    }

    public override object State => _pause;

    protected override CarriedState? Carried => _carried;

    public override PolicyDescription Describe() => new(_environment.PolicyName, PolicyRole.Other)
    {
        Options = [new("paused", _pause.IsPaused ? "yes" : "no")],
        CheckOrder = CheckOrder,
    };

    protected override Rejection? TryEnter(AdmissionCall call, ref long ticket)
    {
        if (_pause.TryEnter() is not { } rejection) return null;
        _rejections.Add(1, new("resilience.pipeline", _environment.PipelineName), new KeyValuePair<string, object?>("resilience.policy", _environment.PolicyName));
        if (_environment.HasListeners) _environment.Publish(new CallPaused(_environment.PipelineName, _environment.PolicyName, rejection));
        return rejection;
    }

    protected override void Exit(AdmissionCall call, Verdict verdict, long ticket) => _pause.Exit();

    private static void CheckOrder(OrderCheck check)
    {
        foreach (PolicyDescription hedging in check.OutsideAs(PolicyRole.Hedging))
            check.Warn("PAUSE001", "the switch stands inside the hedging, so a call that is hedged counts twice as running. Put it outside.", hedging);
    }
}

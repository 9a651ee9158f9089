using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

internal sealed class PauseSwitchPolicy : AdmissionPolicy
{
    private readonly PolicyEnvironment _environment;
    private readonly CarriedState<PauseSwitch, PauseSwitchOptions>? _carried; // null: the switch is shared, and an update changes nothing about it
    private readonly PauseSwitch _pause;
    private CallPaused? _lastPaused;

    internal PauseSwitchPolicy(PauseSwitch? shared, PauseSwitchOptions options, PolicyEnvironment environment)
    {
        _environment = environment;
        _carried = shared is null ? new(this, environment, options, static (o, e) => new(o, e), static (pause, o, _) => pause.Update(o)) : null;
        _pause = shared ?? _carried!.State;
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
        if (_environment.IsObserved(CallPaused.Metric)) Report(rejection);
        return rejection;
    }

    private void Report(PausedRejection rejection)
    {
        CallPaused? paused = _lastPaused;
        if (paused?.Rejection != rejection) // one event for each pause; a race costs an object
            _lastPaused = paused = new(_environment.PipelineName, _environment.PolicyName, rejection);
        _environment.Report(paused);
    }

    protected override void Exit(AdmissionCall call, Verdict verdict, long ticket) => _pause.Exit();

    private static void CheckOrder(OrderCheck check)
    {
        foreach (PolicyDescription hedging in check.OutsideAs(PolicyRole.Hedging))
            check.Warn("PAUSE001", "the switch stands inside the hedging, so a call that is hedged counts twice as running. Put it outside.", hedging);
    }
}

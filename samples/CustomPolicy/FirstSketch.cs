using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

public sealed class OffSwitch : SimplePolicy
{
    private readonly SwitchedOff _rejection = new();

    public volatile bool IsOff;

    protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) =>
        IsOff ? new(Outcome.Rejected<T>(_rejection)) : next.ExecuteAsync(context);

    private sealed class SwitchedOff() : Rejection("off-switch")
    {
        public override string Reason => "A person has switched the calls off.";

        public override ResilienceException ToException() => new(this);
    }
}

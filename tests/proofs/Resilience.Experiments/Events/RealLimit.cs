using Resilience.Overload;

namespace Resilience.Experiments;

/// <summary>The real engine. With a queue calls wait as they do in a program: for a task, which goes on in the world.</summary>
internal sealed class RealLimit : Gate
{
    private readonly AdaptiveConcurrencyLimit _limit;
    private readonly bool _hasQueue;
    private readonly List<LimitPermit> _places = [];

    internal RealLimit(EventWorld world, Chance chance, AdaptiveConcurrencyLimitOptions options)
    {
        _limit = new(options, world, chance);
        _hasQueue = options.MaxQueued > 0;
    }

    internal override double Limit => _limit.Limit;

    internal override void Enter(Call call)
    {
        if (!_hasQueue)
        {
            if (_limit.TryEnter(call.Criticality) is { } permit) Begin(call, permit);
            else Owner.Reject(call);
            return;
        }

        ValueTask<LimitAdmission> entering = _limit.EnterAsync(call.Criticality);
        if (entering.IsCompletedSuccessfully) Answer(call, entering.Result);
        else _ = WaitAsync(call, entering);
    }

    internal override void Leave(Call call, CallEnd end) =>
        _limit.Leave(_places[call.Id], end == CallEnd.Success ? Verdict.Success : Verdict.Failure, isOverloaded: end == CallEnd.Overload);

    private async Task WaitAsync(Call call, ValueTask<LimitAdmission> entering) => Answer(call, await entering.ConfigureAwait(false));

    private void Answer(Call call, in LimitAdmission admission)
    {
        if (admission.IsAdmitted) Begin(call, admission.Permit);
        else Owner.Reject(call);
    }

    private void Begin(Call call, LimitPermit permit)
    {
        while (_places.Count <= call.Id) _places.Add(default);
        _places[call.Id] = permit;
        Owner.Begin(call);
    }
}

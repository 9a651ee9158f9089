using Resilience.Extensibility;

namespace Resilience.Chaos;

/// <summary>How often each kind of chaos is injected: shares of the calls, each from 0 (never) to 1 (always). <c>default</c> is never.</summary>
/// <remarks>
/// <see cref="Behaviour"/> and <see cref="Latency"/> are drawn each for itself, and go together with anything. A call has one outcome,
/// so <see cref="Fault"/>, <see cref="Result"/> and <see cref="LostReply"/> share one draw: a call gets at most one of them, each
/// happens exactly as often as its rate says, and their sum is at most 1.
/// </remarks>
public readonly record struct ChaosRates
{
    // What sums of shares such as 0.1 + 0.2 + 0.7 may be over 1 by.
    private const double Slack = 1e-9;

    /// <summary>The share of calls before which <see cref="ChaosOptions.Behaviour"/> runs.</summary>
    public double Behaviour { get; init; }

    /// <summary>The share of calls that begin late by <see cref="ChaosOptions.Latency"/>.</summary>
    public double Latency { get; init; }

    /// <summary>The share of calls that end with <see cref="ChaosOptions.Fault"/> instead of being made.</summary>
    public double Fault { get; init; }

    /// <summary>The share of calls that end with a value registered by <see cref="ChaosOptions.Result{T}(T)"/> instead of being made.</summary>
    public double Result { get; init; }

    /// <summary>The share of calls that are made and whose result is then thrown away.</summary>
    public double LostReply { get; init; }

    internal bool IsNone => Behaviour == 0 && Latency == 0 && Fault == 0 && Result == 0 && LostReply == 0;

    internal void Check(OptionsCheck check, string option)
    {
        check.Number($"{option}.{nameof(Behaviour)}", Behaviour, 0, 1);
        check.Number($"{option}.{nameof(Latency)}", Latency, 0, 1);
        check.Number($"{option}.{nameof(Fault)}", Fault, 0, 1);
        check.Number($"{option}.{nameof(Result)}", Result, 0, 1);
        check.Number($"{option}.{nameof(LostReply)}", LostReply, 0, 1);
        double outcomes = Fault + Result + LostReply;
        if (outcomes > 1 + Slack && Math.Max(Fault, Math.Max(Result, LostReply)) <= 1)
            check.Require(
                false, option, $"Fault + Result + LostReply = {outcomes:0.###}", "at most 1 in sum: a call has one outcome");
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        List<string> said = [];
        Say("behaviour", Behaviour);
        Say("latency", Latency);
        Say("fault", Fault);
        Say("result", Result);
        Say("lost reply", LostReply);
        return said.Count == 0 ? "none" : string.Join(", ", said);

        void Say(string kind, double rate)
        {
            if (rate != 0) said.Add(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{kind} {rate:0.###}"));
        }
    }
}

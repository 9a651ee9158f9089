namespace Resilience;

/// <summary>Verdicts as telemetry names them.</summary>
internal static class VerdictNames
{
    internal static string Of(Verdict verdict) => verdict switch
    {
        Verdict.Success => "success",
        Verdict.Failure => "failure",
        Verdict.Ignored => "ignored",
        Verdict.Rejected => "rejected",
        _ => "none",
    };
}

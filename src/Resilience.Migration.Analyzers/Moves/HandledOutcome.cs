namespace Resilience.Migration;

/// <summary>One kind of outcome that a strategy handles: exceptions of a type, or results, that meet a condition.</summary>
/// <remarks>Names of ours stand in the text with a sign before them, because how they are written depends on the file.</remarks>
internal sealed class HandledOutcome(bool isResult, string type, string? parameter, string? condition)
{
    /// <summary>What Polly handles where nothing is said: every exception but a cancellation.</summary>
    internal static readonly HandledOutcome[] Default =
        [new(false, "$OperationCanceledException", null, "ignored"), new(false, "$Exception", null, null)];

    /// <summary>What the handler of Microsoft handles where nothing is said.</summary>
    internal static readonly HandledOutcome[] Http =
    [
        new(false, "System.Net.Http.HttpRequestException", null, null), new(false, "§TimedOutException", null, null),
        new(true, "System.Net.Http.HttpResponseMessage", "response", "(int)response.StatusCode is >= 500 or 408 or 429"),
    ];

    /// <summary>What <c>HandleTransientHttpError</c> handles.</summary>
    internal static readonly HandledOutcome[] TransientHttp =
    [
        new(false, "System.Net.Http.HttpRequestException", null, null),
        new(true, "System.Net.Http.HttpResponseMessage", "response", "(int)response.StatusCode is >= 500 or 408"),
    ];

    internal bool IsResult => isResult;

    /// <summary>What a layer inside rejected, by the type of its exception. No rule is asked about it.</summary>
    internal bool IsRejection => condition == "rejected";

    /// <summary>Whether it takes in what a time limit inside ends.</summary>
    internal bool IsAnyTimeout => !isResult && condition is null && type is "$Exception" or "Exception" or "System.Exception" or "§TimedOutException";

    /// <summary>What a policy inside rejected with an exception of this type.</summary>
    internal static HandledOutcome OfRejection(string type) => new(false, type, null, "rejected");

    internal static bool AreSame(IReadOnlyList<HandledOutcome> one, IReadOnlyList<HandledOutcome> other) =>
        one.Select(static h => h.Text).SequenceEqual(other.Select(static h => h.Text));

    internal string Text => $"{isResult} {type} {parameter} {condition}";

    /// <summary>The rules of a classifier for which exactly these are failures.</summary>
    internal static string ToRules(IReadOnlyList<HandledOutcome> handled)
    {
        string own = string.Concat(handled.Select(static h => h.ToRule()));
        string rest = ReferenceEquals(handled, Default) ? "" : ".On<$Exception>(§Verdict.Ignored)";
        return "rules => rules.On<§ResilienceException>(§Verdict.Rejected)" + own + rest;
    }

    /// <summary>The same as a condition on one attempt, for a policy of several in a pipeline that handles less than the others.</summary>
    internal static string ToCondition(IReadOnlyList<HandledOutcome> handled, string exception, string result) => ReferenceEquals(handled, Default)
        ? exception + " is not null and not $OperationCanceledException"
        : string.Join(" || ", handled.Select(h => h.ToTest(exception, result)));

    private string ToRule() => (isResult, condition) switch
    {
        (false, "rejected") => "",
        (false, "ignored") => $".On<{type}>(§Verdict.Ignored)",
        (false, null) => $".On<{type}>(§Verdict.Failure)",
        (false, _) => $".On<{type}>({parameter} => {condition} ? §Verdict.Failure : null)",
        _ => $".OnResult<{type}>({parameter} => {condition} ? §Verdict.Failure : null)",
    };

    private string ToTest(string exception, string result)
    {
        string of = isResult ? result : exception;
        return condition is null or "rejected" ? $"{of} is {type}" : $"({of} is {type} {parameter} && ({condition}))";
    }
}

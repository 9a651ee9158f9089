using System.Globalization;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Says in a sentence why an attempt is not repeated. Asked only when there is a listener.</summary>
internal static class RetryExplanation
{
    /// <summary>The whole sentence, around the reason (<see cref="Why"/>).</summary>
    internal static string Of(in AttemptResult attempt, string outcome, RetryPolicy policy, string why)
    {
        string pipeline = attempt.Call.NameOfPipeline, who = pipeline.Length == 0 ? policy.Name : $"{pipeline}/{policy.Name}";
        DateTime now = policy.Time.GetUtcNow().UtcDateTime;
        return Text($"{who}: attempt {attempt.Number + 1} ended at {now:HH:mm:ss'Z'} ({outcome}) and is not retried because ")
            + why + "; the caller gets this outcome.";
    }

    /// <summary>The reason alone.</summary>
    internal static string Why(in AttemptResult attempt, RetryStopReason cause, string? objection, RetryPolicy policy, int max, TimeSpan delay) => cause switch
    {
        RetryStopReason.Attempts => Text($"all {max + 1L} attempts are used up"),
        RetryStopReason.Marked => Marked,
        RetryStopReason.Deadline => Text(
            $"a wait of {TimeText.Of(delay)} would end after the deadline, which is {Left(attempt.Call)} away"),
        RetryStopReason.RetryAfter => Text(
            $"a wait of {Show(delay)} was asked for, and {nameof(policy.MaxRetryAfter)} allows {Show(policy.MaxRetryAfter)}"),
        RetryStopReason.Permanent => Permanent,
        RetryStopReason.Budget => Text(
            $"the retry budget is spent, its balance is {policy.Budget.Balance:0.##} ({policy.Budget})"),
        _ => objection ?? NotAllowed,
    };

    internal const string Marked = "a layer below has given up on it, so the layers above do not repeat it either";
    internal const string Permanent = "the classifier says that trying again would not help";
    internal const string NotAllowed = "ShouldRetry said no";

    private static string Left(ResilienceContext context) => TimeText.Of(context.TimeLeft ?? TimeSpan.Zero);

    private static string Show(TimeSpan span) => TimeText.Of(span);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

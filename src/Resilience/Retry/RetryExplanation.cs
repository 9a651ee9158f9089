using System.Globalization;

namespace Resilience;

/// <summary>Says in a sentence why an attempt is not repeated. Asked only when somebody listens.</summary>
internal static class RetryExplanation
{
    internal static string Of(in AttemptResult attempt, RetryDenial denial, string ending, string? objection, RetryPolicy policy, int most, TimeSpan delay)
    {
        string pipeline = attempt.Call.NameOfPipeline, who = pipeline.Length == 0 ? policy.Name : $"{pipeline}/{policy.Name}";
        DateTime now = policy.Time.GetUtcNow().UtcDateTime;
        return Text($"{who}: attempt {attempt.Number + 1} ended at {now:HH:mm:ss'Z'} ({ending}) and is not repeated because ")
            + Why(attempt, denial, objection, policy, most, delay) + "; the caller gets this ending.";
    }

    private static string Why(in AttemptResult attempt, RetryDenial denial, string? objection, RetryPolicy policy, int most, TimeSpan delay) => denial switch
    {
        RetryDenial.Attempts => Text($"all {most + 1L} attempts are used up"),
        RetryDenial.Marked => "a layer below has given up on it, so the layers above do not repeat it either",
        RetryDenial.Deadline => Text(
            $"a wait of {PolicyDescription.Format(delay)} would outlast the deadline, which is {Left(attempt.Call)} away"),
        RetryDenial.RetryAfter => Text(
            $"a wait of {Show(delay)} was asked for, and {nameof(policy.MaxRetryAfter)} allows {Show(policy.MaxRetryAfter)}"),
        RetryDenial.Permanent => "the classifier says that trying again would not help",
        RetryDenial.Budget => Text($"the budget is spent, {policy.Budget.Balance:0.##} of a retry is left until calls and time refill it ({policy.Budget})"),
        _ => objection ?? "ShouldRetry said no",
    };

    private static string Left(ResilienceContext context) => PolicyDescription.Format(context.TimeLeft ?? TimeSpan.Zero);

    private static string Show(TimeSpan span) => PolicyDescription.Format(span);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

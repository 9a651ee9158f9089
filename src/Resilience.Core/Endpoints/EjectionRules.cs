namespace Resilience.Overload;

/// <summary>Which endpoints are to be left out for what they did in an interval, and when so many fail that all are used. Pure.</summary>
internal static class EjectionRules
{
    /// <summary>Answers of an interval below which its mean says nothing.</summary>
    internal const int MinAnswers = 5;

    /// <summary>How many may be left out at once.</summary>
    internal static int MaxOut(int endpoints, double maxShare) => endpoints < 2 || maxShare == 0 ? 0 : Math.Max(1, (int)(maxShare * endpoints));

    /// <summary>Whether too large a share failed.</summary>
    internal static bool FailsTooMuch(EndpointInterval interval, EndpointEjectionOptions options) =>
        interval.Ended >= options.MinRequests && interval.Failed >= options.FailureShare * interval.Ended;

    /// <summary>Whether an endpoint is much slower than the median of the others.</summary>
    /// <param name="intervals">Of all endpoints.</param>
    /// <param name="index">Which of them is asked about.</param>
    /// <param name="factor">How many times slower.</param>
    internal static bool IsSlow(ReadOnlySpan<EndpointInterval> intervals, int index, double factor)
    {
        if (intervals[index] is not { MeanMs: { } mean, Answers: >= MinAnswers }) return false;
        List<double> others = [];
        for (int i = 0; i < intervals.Length; i++)
        {
            if (i != index && intervals[i] is { MeanMs: { } other, Answers: >= MinAnswers }) others.Add(other);
        }

        if (others.Count < 2) return false;
        others.Sort();
        double median = (others[(others.Count - 1) / 2] + others[others.Count / 2]) / 2;
        return mean > factor * median;
    }

    /// <summary>Whether so few are well that all must be used.</summary>
    internal static bool IsPanic(int endpoints, int unwell, double panicBelow) => endpoints - unwell < panicBelow * endpoints;
}

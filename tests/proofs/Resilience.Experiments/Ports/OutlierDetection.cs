namespace Resilience.Experiments;

/// <summary>gRPC's outlier detection (proposal A50), for comparison: ejects hosts whose success rate is far below the mean.</summary>
internal static class OutlierDetection
{
    /// <summary>The rate below which a host is ejected; in percent.</summary>
    /// <param name="rates">The success rate of each host, in percent.</param>
    /// <param name="factor">How many standard deviations below the mean.</param>
    internal static double Threshold(IReadOnlyCollection<double> rates, double factor = 1.9)
    {
        double mean = rates.Average();
        return mean - (factor * Math.Sqrt(rates.Average(r => (r - mean) * (r - mean))));
    }

    /// <summary>How long the n-th ejection lasts, in seconds.</summary>
    internal static double EjectionSeconds(int number) => Math.Min(30.0 * number, 300);
}

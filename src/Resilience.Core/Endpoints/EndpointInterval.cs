namespace Resilience.Overload;

/// <summary>What an endpoint did in an interval.</summary>
/// <param name="Ended">Calls that ended and say something about it.</param>
/// <param name="Failed">Those of them that failed.</param>
/// <param name="MeanMs">The mean latency of the answers; null: there were none.</param>
/// <param name="Answers">How many that is the mean of.</param>
internal readonly record struct EndpointInterval(int Ended, int Failed, double? MeanMs, int Answers);

using System.Net;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>A circuit breaker that counts what a limiter of overload lives by. The limiter turns two thirds of the calls away and serves one; the breaker,
/// which sees that many fail, serves none.</summary>
internal static class CountedOverload
{
    /// <summary>Warns (RES018) where a breaker stands in the same chain and 429 counts for it.</summary>
    /// <param name="check">The place of the limiter.</param>
    /// <param name="name">What the limiter is called in the sentence.</param>
    /// <param name="classifier">That of the pipeline.</param>
    internal static void Check(OrderCheck check, string name, OutcomeClassifier classifier)
    {
        PolicyDescription[] breakers = [.. check.OutsideAs(PolicyRole.CircuitBreaker), .. check.InsideAs(PolicyRole.CircuitBreaker)];
        if (breakers.Length == 0 || !Counts(classifier)) return;
        foreach (PolicyDescription breaker in breakers)
        {
            check.Warn("RES018", $"the circuit breaker counts 429, by which the {name} finds out how much the dependency accepts: under overload the circuit "
                + "opens, and a dependency that serves a part serves nothing. Let 429 not count (ThrottlingCounts = false).", breaker);
        }
    }

    /// <summary>Asked of an error that stands for an answer 429, because rules are code.</summary>
    private static bool Counts(OutcomeClassifier classifier)
    {
        Classification said = classifier.Judge(new HttpRequestException("The answer was 429.", null, HttpStatusCode.TooManyRequests), callCancelled: false);
        return said is { Verdict: Verdict.Failure, Counts: true };
    }
}

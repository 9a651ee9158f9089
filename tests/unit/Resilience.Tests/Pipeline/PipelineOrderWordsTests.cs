namespace Resilience.Tests.Pipelines;

/// <summary>What the check of the order says, word for word: people search for these sentences.</summary>
public sealed class PipelineOrderWordsTests
{
    private static PolicyDescription Of(PolicyRole role) => new(role.ToString(), role);

    private static PolicyDescription Timeout(double seconds) => Of(PolicyRole.Timeout) with { Timeout = TimeSpan.FromSeconds(seconds) };

    private static PolicyDescription Hedging() => Of(PolicyRole.Hedging) with { FirstDelay = TimeSpan.FromSeconds(1), MaxAttempts = 2 };

    private static PolicyDescription Retry(double first = 0.2, double delays = 1, int? attempts = 4) =>
        Of(PolicyRole.Retry) with { FirstDelay = TimeSpan.FromSeconds(first), TotalDelay = TimeSpan.FromSeconds(delays), MaxAttempts = attempts };

    public static TheoryData<string, PolicyDescription[]> Sentences => new()
    {
        { "RES001: Timeout > Retry: the total timeout (2 s) is not longer than the first delay of the retry (up to 2 s), so retries seldom or never happen.", [Timeout(2), Retry(2)] },
        { "RES002: CircuitBreaker > Retry: the circuit breaker stands outside the retry, so it sees one outcome per call instead of one per attempt, and an open circuit does not stop retries that are under way. Put it inside.",
            [Of(PolicyRole.CircuitBreaker), Retry()] },
        { "RES003: Retry > Fallback: the fallback stands inside the retry, which therefore never sees a failure and never retries. Put it outside.", [Retry(), Of(PolicyRole.Fallback)] },
        { "RES003: Hedging > Fallback: the fallback stands inside the retry, which therefore never sees a failure and never retries. Put it outside.", [Of(PolicyRole.Hedging), Of(PolicyRole.Fallback)] },
        { "RES004: CircuitBreaker > Fallback: the fallback stands inside the circuit breaker, which therefore never sees a failure and never opens. Put it outside.",
            [Of(PolicyRole.CircuitBreaker), Of(PolicyRole.Fallback)] },
        { "RES005: Retry > Retry: two retries multiply: up to 4 × 5 attempts for one call. Keep one.", [Retry(), Retry(attempts: 5)] },
        { "RES005: Retry > Retry: two retries multiply: up to unlimited × 5 attempts for one call. Keep one.", [Retry(attempts: null, first: 0) with { FirstDelay = null }, Retry(attempts: 5)] },
        { "RES006: ConcurrencyLimit > Retry: the concurrency limit stands outside the retry, so a call keeps its place while it waits between attempts. Put it inside, unless you mean to count calls in waiting.",
            [Of(PolicyRole.ConcurrencyLimit), Retry()] },
        { "RES007: Timeout > Timeout: the inner timeout (5 s) is not shorter than the outer one (5 s), so it can never be the one that ends a call.", [Timeout(5), Timeout(5)] },
        { "RES008: Timeout > Retry > Timeout: 4 attempts of 2.5 s and delays of up to 0.25 s need 10.25 s, but the total is 10.2 s: against a dependency that hangs, the last attempts never start.",
            [Timeout(10.2), Retry(delays: 0.25), Timeout(2.5)] },
        { "RES009: CircuitBreaker > Timeout: the window of the circuit breaker (1 s) is shorter than the timeout inside it (1.5 s): when the dependency hangs, a caller's failure has left the window before its next one arrives. Make the window longer.",
            [Of(PolicyRole.CircuitBreaker) with { SamplingWindow = TimeSpan.FromSeconds(1) }, Timeout(1.5)] },
        { "RES010: Retry > Idempotency: the retry stands outside the idempotency, so each attempt asks for the key anew, and after one that broke off it is rejected as under way. Put the idempotency outside: then all attempts are one claim.",
            [Retry(), Of(PolicyRole.Idempotency)] },
        { "RES011: Hedging > Retry: each hedged attempt repeats by itself: up to 2 × 4 attempts for one call. Put the retry outside the hedging, and keep one hedging.", [Hedging(), Retry()] },
        { "RES011: CircuitBreaker > Hedging: the circuit breaker stands outside the hedging, so a failure that a hedge mended is a success to it, and an open circuit does not stop hedges. Put it inside.",
            [Of(PolicyRole.CircuitBreaker), Hedging()] },
        { "RES011: ConcurrencyLimit > Hedging: the concurrency limit stands outside the hedging, so one place stands for up to 2 attempts at once. Put it inside.", [Of(PolicyRole.ConcurrencyLimit), Hedging()] },
        { "RES011: Timeout > Hedging: the total timeout (1 s) is not longer than the delay of the hedging (1 s), so no hedge ever starts beside a slow attempt. Make the delay shorter.", [Timeout(1), Hedging()] },
        { "RES011: Hedging > Timeout: the timeout inside (1 s) ends an attempt before the delay of the hedging (1 s) is over, so no hedge ever runs beside a slow attempt. Make the delay shorter.", [Hedging(), Timeout(1)] },
        { "RES012: Chaos > Retry: chaos stands outside of everything that should handle what it injects, so none of it is rehearsed. Put it inside, usually last.", [Of(PolicyRole.Chaos), Retry()] },
        { "RES014: Timeout > ConcurrencyLimit: a call may wait 2 s in the queue, and the timeout around it is 2 s: in an overload calls spend all their time waiting and none is left to run. Wait a small part of the timeout.",
            [Timeout(2), Of(PolicyRole.ConcurrencyLimit) with { QueueWait = TimeSpan.FromSeconds(2) }] },
        { "RES015: Retry: the retries are unlimited and no timeout stands around them, so only the caller's token or deadline ends a call to a dependency that is gone. Add a total timeout.", [Retry(attempts: null)] },
        { "RES016: RateLimit > Retry: the rate limit stands outside the retry and counts calls, so the dependency may get 4 times the rate. Put it inside.", [Of(PolicyRole.RateLimit), Retry()] },
        { "RES016: RateLimit > Retry: the rate limit stands outside the retry and counts calls, so the dependency may get any number of times the rate. Put it inside.",
            [Timeout(9), Of(PolicyRole.RateLimit), Retry(attempts: null)] },
    };

    [Theory]
    [MemberData(nameof(Sentences))]
    public void A_finding_is_a_whole_sentence_with_names_and_numbers(string sentence, PolicyDescription[] chain)
    {
        PipelineWarning found = PipelineOrder.Check(chain).Should().ContainSingle().Subject;
        found.ToString().Should().Be(sentence);
        found.Policies.Should().Equal(sentence.Split(": ")[1].Split(" > "));
    }

    public static TheoryData<string, PolicyDescription[], string[]> Arithmetic => new()
    {
        { "a first delay as long as the total is RES001, not RES008", [Timeout(2), Retry(2, 100), Timeout(1)], ["RES001"] },
        { "a policy that is no retry in between", [Timeout(5), Of(PolicyRole.Other), Retry(delays: 5), Timeout(1)], ["RES008"] },
        { "no retry inside", [Timeout(5), Timeout(1)], [] },
        { "a retry without an end", [Timeout(5), Retry(attempts: null), Timeout(1)], [] },
        { "no timeout of attempts", [Timeout(5), Retry(delays: 100)], [] },
        { "a timeout outside the retry counts for none inside it", [Timeout(9), Timeout(5), Retry(delays: 100)], [] },
        { "the total around the one that does not fit is not asked as well", [Timeout(20), Timeout(10), Retry(delays: 30), Timeout(1)], ["RES008"] },
        { "the next total is asked where the first has no retry inside that could be too long", [Timeout(9), Retry(9, 90), Timeout(4), Retry(0, 9, 2), Timeout(1)], ["RES001", "RES005", "RES008"] },
    };

    [Theory]
    [MemberData(nameof(Arithmetic))]
    public void The_arithmetic_is_done_where_it_can_be(string what, PolicyDescription[] chain, string[] codes) =>
        PipelineOrder.Check(chain).Select(w => w.Code).Order().Should().Equal(codes, "of {0}", what);
}

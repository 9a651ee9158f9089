namespace Resilience.Idempotency;

/// <summary>An answer that stands in place of the endpoint's, for those who write it themselves (<see cref="IdempotencyEndpointOptions.WriteProblem"/>).
/// Immutable.</summary>
/// <param name="Status">The status, which is set already.</param>
/// <param name="Type">What kind of problem it is: <see cref="IdempotencyEndpointOptions.ProblemTypeBase"/> and the code.</param>
/// <param name="Code">The same as one word, such as <c>key-reused</c>. The documentation lists all of them.</param>
/// <param name="Title">A short sentence, the same for all problems of this kind.</param>
/// <param name="Detail">What happened and what to do.</param>
/// <param name="IsRetryable">Whether the same request, with the same key, may be answered otherwise later.</param>
/// <param name="RetryAfter">When it may be worth repeating it; it stands in the <c>Retry-After</c> header already.</param>
public sealed record IdempotencyProblem(
    int Status, string Type, string Code, string Title, string Detail, bool IsRetryable, TimeSpan? RetryAfter);

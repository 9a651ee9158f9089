using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>One attempt of a call of which at least one attempt failed.</summary>
/// <param name="Number">0 for the first.</param>
/// <param name="Status">What the server answered; null when it did not.</param>
/// <param name="Error">What happened instead: <c>timeout</c>, the <see cref="HttpRequestError"/>, or the type of the exception; null when
/// the server answered.</param>
/// <param name="Delay">The wait before this attempt; zero for the first.</param>
/// <param name="Elapsed">How long the attempt took.</param>
public sealed record HttpAttempt(int Number, HttpStatusCode? Status, string? Error, TimeSpan Delay, TimeSpan Elapsed)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{(Status is { } status ? (int)status : Error)} after {Elapsed.TotalMilliseconds:0} ms");
}

/// <summary>The history of a call: what its attempts came to. Kept only for calls of which an attempt failed.</summary>
public static class HttpAttempts
{
    private static readonly ConditionalWeakTable<object, IReadOnlyList<HttpAttempt>> Known = [];

    /// <summary>The attempts that led to this response; empty when the first one succeeded.</summary>
    public static IReadOnlyList<HttpAttempt> Of(HttpResponseMessage response) => Find(response);

    /// <summary>The attempts that led to this exception; empty when there were none.</summary>
    public static IReadOnlyList<HttpAttempt> Of(Exception exception) => Find(exception);

    internal static void Remember(object outcome, IReadOnlyList<HttpAttempt> attempts) => Known.AddOrUpdate(outcome, attempts);

    private static IReadOnlyList<HttpAttempt> Find(object outcome)
    {
        ArgumentNullException.ThrowIfNull(outcome);
        return Known.TryGetValue(outcome, out IReadOnlyList<HttpAttempt>? attempts) ? attempts : [];
    }
}

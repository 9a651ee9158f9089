using System.Globalization;
using System.Net;

namespace Resilience.Http;

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
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(Status is { } status ? (int)status : Error)} after {Took}");

    private string Took => SpanText.Of(TimeSpan.FromMilliseconds((long)Elapsed.TotalMilliseconds));
}

using System.Globalization;
using Grpc.Core;

namespace Resilience.Grpc;

/// <summary>What a server says in <c>grpc-retry-pushback-ms</c>: come back after so many milliseconds, or do not come back.</summary>
/// <param name="Wait">After how long; null: never.</param>
internal readonly record struct Pushback(TimeSpan? Wait)
{
    internal const string Key = "grpc-retry-pushback-ms";

    /// <summary>Null: the server says nothing. What is not a whole number means "never", as does a negative one.</summary>
    internal static Pushback? Of(Metadata trailers) => trailers.Get(Key) switch
    {
        null => null,
        { IsBinary: false } entry when int.TryParse(entry.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int ms) && ms >= 0
            => new(TimeSpan.FromMilliseconds(ms)),
        _ => new(default(TimeSpan?)),
    };
}

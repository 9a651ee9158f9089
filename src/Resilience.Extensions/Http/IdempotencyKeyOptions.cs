using Resilience.Extensibility;
using Resilience.Idempotency;

namespace Resilience.Http;

/// <summary>How requests get an idempotency key: a name for the operation, the same on each attempt, by which the server does it once.</summary>
/// <remarks>The header is that of the IETF draft <c>draft-ietf-httpapi-idempotency-key-header</c>.</remarks>
public sealed class IdempotencyKeyOptions : PolicyOptions
{
    internal const string DefaultHeader = "Idempotency-Key";

    /// <summary>The name of the header. Default <c>Idempotency-Key</c>.</summary>
    public string HeaderName { get; set; } = DefaultHeader;

    /// <summary>The methods that get a key. Default: POST and PATCH; the others do no harm when they are repeated.</summary>
    public ISet<HttpMethod> Methods { get; private set; } = new HashSet<HttpMethod> { HttpMethod.Post, HttpMethod.Patch };

    /// <summary>Makes the key of a request, 1 to 255 visible ASCII characters and blanks; null: this request gets none. Called once for each request,
    /// not for each attempt. What it throws reaches the caller. Default null: a random UUID.</summary>
    public Func<HttpRequestMessage, string?>? Generate { get; set; }

    /// <summary>The key under which our own caller asked for what we are doing, with its scope, if there is one (in an endpoint:
    /// <c>context.GetIdempotencyKey()</c>): the request's key is then derived from it, so that our caller's retry repeats our calls under the same
    /// keys. Default null: not derived.</summary>
    /// <remarks>Derived from the scope and the key, method, address and <see cref="HttpRequestOverrides.Operation"/> by SHA-256: the same key of two callers
    /// is two keys here, because the service behind us sees one caller, us. If one inbound request makes two like calls, tell them apart by the
    /// operation.</remarks>
    public Func<HttpRequestMessage, IdempotencyKey?>? FromInbound { get; set; }

    /// <summary>Whether the key is sent as a quoted string, as the draft wants it, or bare, as most services expect. Default false: bare, unless it has
    /// characters that cannot be sent so (a blank, a quote, a backslash, a comma, a semicolon).</summary>
    public bool IsQuoted { get; set; }

    /// <summary>The hosts that get keys (without port); empty: all. Default empty. A key that the caller set himself stays.</summary>
    public ISet<string> Hosts { get; private set; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc/>
    protected override string Kind => "idempotency-key";

    /// <inheritdoc/>
    protected override PolicyOptions CopyCore()
    {
        IdempotencyKeyOptions copy = (IdempotencyKeyOptions)base.CopyCore();
        copy.Methods = new HashSet<HttpMethod>(Methods);
        copy.Hosts = new HashSet<string>(Hosts, StringComparer.OrdinalIgnoreCase);
        return copy;
    }

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Require(HeaderText.IsName(HeaderName), nameof(HeaderName), HeaderName, "the name of a header");
        check.Require(Methods.Count > 0, nameof(Methods), "empty", "a list of at least one method");
        foreach (string host in Hosts)
            check.Require(Uri.CheckHostName(host) != UriHostNameType.Unknown, nameof(Hosts), host, "names of hosts, without scheme and port");
    }
}

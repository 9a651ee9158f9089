using Resilience.Extensibility;

namespace Resilience;

/// <summary>What the calls of one request have given up on, so that the answer of the request can say it if it is the cause.</summary>
/// <remarks>Compared by reference: the exceptions of users are never asked whether they are equal. Only the newest are kept; in doubt nothing is
/// said, and the mistake is on the side of one more attempt.</remarks>
internal sealed class RequestMarks
{
    private const int MaxCauses = 16;
    private const int MaxDepth = 16; // of exceptions inside exceptions

    private readonly Lock _gate = new(); // held for some instructions, and only where a call gives up
    private readonly List<object> _causes = new(1); // oldest first
    private volatile bool _isForbidden;

    internal bool IsForbidden => _isForbidden;

    internal void Forbid() => _isForbidden = true;

    internal void Add(object cause)
    {
        lock (_gate)
        {
            if (_causes.Exists(known => ReferenceEquals(known, cause))) return;
            if (_causes.Count == MaxCauses) _causes.RemoveAt(0);
            _causes.Add(cause);
        }
    }

    /// <summary>Whether this is what a call has given up on, wraps it, or stands for it.</summary>
    internal bool Has(object cause)
    {
        if (Knows(cause)) return true;
        Exception? error = cause as Exception;
        for (int depth = 0; error is not null && depth < MaxDepth; depth++)
        {
            if (Knows(error)) return true;
            if (error is ICarriesRejection carrier && SafeRejection.Of(carrier) is { } rejection && Knows(rejection)) return true;
            if (error is HttpRequestException { StatusCode: { } status } && KnowsStatus(status)) return true;
            error = error.InnerException;
        }

        return false;
    }

    private bool Knows(object cause)
    {
        lock (_gate) return _causes.Exists(known => ReferenceEquals(known, cause));
    }

    /// <summary>EnsureSuccessStatusCode throws an exception that has nothing but the status of the response it stands for.</summary>
    private bool KnowsStatus(System.Net.HttpStatusCode status)
    {
        lock (_gate) return _causes.Exists(known => known is HttpResponseMessage response && response.StatusCode == status);
    }
}

using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Retry;

/// <summary>A delegate that fails so many times and then answers with the number of its attempt.</summary>
internal sealed class Script(int failures = 0)
{
    public int Attempts;

    public bool Asynchronously { get; init; }

    public Func<int, Exception> Failure { get; init; } = _ => new IOException("the dependency failed");

    public List<Exception> Thrown { get; } = [];

    public async ValueTask<int> RunAsync(CancellationToken cancellationToken)
    {
        int number = Attempts++;
        if (Asynchronously) await Task.Yield();
        if (number >= failures) return number;
        Exception error = Failure(number);
        Thrown.Add(error);
        throw error;
    }
}

internal sealed class TestRejection(TimeSpan? retryAfter) : Rejection("door")
{
    public override string Reason => "closed";

    public override TimeSpan? RetryAfter => retryAfter;

    public override ResilienceException ToException() => new(this);
}

/// <summary>A policy below the retry that rejects so many times.</summary>
internal sealed class Door(int rejections, TimeSpan? retryAfter) : SimplePolicy
{
    public int Asked;

    protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) =>
        Asked++ < rejections ? new(Outcome.Rejected<T>(new TestRejection(retryAfter))) : next.ExecuteAsync(context);
}

/// <summary>A policy below the retry that marks failures.</summary>
internal sealed class Marker : SimplePolicy
{
    protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) =>
        (await next.ExecuteAsync(context)).MarkedDoNotRetry();
}

/// <summary>A result that remembers whether it was disposed.</summary>
internal sealed class Answer(bool isBad) : IDisposable
{
    public bool IsBad => isBad;

    public int Disposals { get; private set; }

    public void Dispose() => Disposals++;
}

/// <summary>An exception that says when to come back.</summary>
internal sealed class BusyException : ResilienceException
{
    public BusyException(TimeSpan retryAfter)
        : base("busy") => RetryAfter = retryAfter;
}

using System.Net.Sockets;
using System.Reflection;
using System.Security.Authentication;

namespace Resilience.Tests;

/// <summary>Exceptions that are small in memory and that no walk without a bound comes back from: one object in several others, again and again, or a
/// chain so long that a recursion along it ends the process. And the check that a place comes back.</summary>
internal static class LargeExceptions
{
    private const int Levels = 40;
    private const int LongChain = 100_000;
    private const int MaxReads = 100_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60); // of an answer that takes milliseconds

    /// <summary>Says how often it was read. Beyond a bound it throws, so that a walk that does not end ends.</summary>
    internal sealed class Leaf : IOException
    {
        internal int Reads { get; private set; }

        internal bool IsWornOut => Reads > MaxReads;

        public override string Message => ++Reads > MaxReads ? throw new NotFiniteNumberException("a walk without a bound") : "x";
    }

    private static readonly Dictionary<string, Func<Leaf, Exception>> Shapes = new()
    {
        ["the same twice"] = leaf => Repeat(leaf, Levels, static e => new AggregateException(e, e)),
        ["two that hold the same"] = leaf => Repeat(leaf, Levels, static e => new AggregateException(new AggregateException(e), new AggregateException(e))),
        ["one and another wrapper"] = leaf => Repeat(leaf, Levels, static e => new AggregateException(new TargetInvocationException(e), e)),
        ["wrapped by an unknown class"] = leaf => Repeat(leaf, Levels, static e => new InvalidDataException("x", new AggregateException(e, e))),
        ["a thousand, a thousand times"] = leaf => Repeat(leaf, 8, static e => new AggregateException(Enumerable.Repeat(e, 1000))),
        ["a million"] = leaf => new AggregateException(Enumerable.Repeat<Exception>(leaf, 1_000_000)),
        ["rejected a million times"] = _ => Repeat(Rejected(), 8, static e => new AggregateException(Enumerable.Repeat(e, 100))),
        ["loader exceptions"] = leaf => Repeat(leaf, Levels, static e => new ReflectionTypeLoadException([], [e, e, null])),
        ["a long chain"] = leaf => Repeat(leaf, LongChain, static e => new InvalidDataException("x", e)),
        ["a long chain of wrappers"] = leaf => Repeat(leaf, LongChain, static e => new TargetInvocationException(e)),
        ["a long chain of aggregates"] = leaf => Repeat(leaf, LongChain, static e => new AggregateException(e)),
        ["a long chain of files"] = leaf => Repeat(leaf, LongChain, static e => new IOException("x", e)),
        ["a long chain to a failed connection"] = _ => Repeat(Rejected(), LongChain, static e => new InvalidDataException("x", e)),
        ["a long chain to a certificate"] = _ => new HttpRequestException(
            HttpRequestError.SecureConnectionError, "x", Repeat(new AuthenticationException(), LongChain, static e => new IOException("x", e))),
        ["cancelled around it"] = leaf => new TaskCanceledException("x", Repeat(leaf, Levels, static e => new AggregateException(e, e))),
    };

    internal static IReadOnlyCollection<string> All => Shapes.Keys;

    internal static (Exception Error, Leaf Leaf) Make(string shape)
    {
        Leaf leaf = new();
        return (Shapes[shape](leaf), leaf);
    }

    private static SocketException Rejected() => new((int)SocketError.ConnectionRefused);

    private static Exception Repeat(Exception inner, int times, Func<Exception, Exception> wrap)
    {
        for (int i = 0; i < times; i++) inner = wrap(inner);
        return inner;
    }

    /// <summary>Null when a place that is given the exception comes back; otherwise what is wrong. A place that does not is left running.</summary>
    internal static string? Wrong(string shape, Action<Exception> place, TimeSpan? patience = null)
    {
        (Exception error, Leaf leaf) = Make(shape);
        Exception? thrown = null;
        Thread thread = new(() =>
        {
            try
            {
                place(error);
            }
            catch (Exception unexpected)
            {
                thrown = unexpected;
            }
        })
        {
            IsBackground = true,
        };
        thread.Start();
        if (!thread.Join(patience ?? Patience)) return $"{shape}: does not come back";
        if (thrown is not null && !ReferenceEquals(thrown, error)) return $"{shape}: {thrown.GetType().Name}: {thrown.StackTrace}";
        return leaf.IsWornOut ? $"{shape}: reads more than {MaxReads} messages" : null;
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Resilience;

/// <summary>The bound of a walk over an exception and all that it wraps: the number of visits.</summary>
/// <remarks>
/// One exception may stand in several others. An <see cref="AggregateException"/> that holds another one twice, forty levels deep, is forty objects and
/// 2⁴⁰ paths; a walk that follows them all does not come back, and <see cref="Exception.Message"/> and <see cref="Exception.ToString"/> of the framework
/// follow them all. A depth is no bound for that, and a set of what was visited costs allocations: so visits are counted. The same number bounds
/// how deep a walk recurses.
/// </remarks>
internal struct ExceptionWalk
{
    /// <summary>More than any report of parallel work that a person reads has.</summary>
    internal const int MaxVisits = 1000;

    private int _visits;

    /// <summary>Counts a visit. False: there were too many, and the walk is over.</summary>
    internal bool Enter() => _visits < MaxVisits && ++_visits > 0;

    /// <summary>True when the framework would follow more paths than the bound to write this exception down.</summary>
    internal static bool IsTooLarge(Exception error)
    {
        ExceptionWalk walk = default;
        return !walk.Passes(error);
    }

    /// <summary>What a log is given in the place of an exception: itself, or what is left of one that is too large to be written down.</summary>
    [return: NotNullIfNotNull(nameof(error))]
    internal static Exception? Loggable(Exception? error) => error is null || !IsTooLarge(error) ? error : new TooLargeException(error);

    /// <summary>In the place of the message of an exception that is too large.</summary>
    internal static string SummaryOf(Exception error) =>
        $"{error.GetType().FullName} around more than {MaxVisits.ToString(System.Globalization.CultureInfo.InvariantCulture)} other exceptions.";

    private bool Passes(Exception? error) => error is null || (Enter() && error switch
    {
        AggregateException several => PassAll(several.InnerExceptions),
        ReflectionTypeLoadException several => PassAll(several.LoaderExceptions) && Passes(several.InnerException),
        _ => Passes(error.InnerException),
    });

    private bool PassAll(IReadOnlyList<Exception?> errors)
    {
        for (int i = 0; i < errors.Count; i++)
        {
            if (!Passes(errors[i])) return false;
        }

        return true;
    }

    private sealed class TooLargeException(Exception error) : Exception(SummaryOf(error));
}

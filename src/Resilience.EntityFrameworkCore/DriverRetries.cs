using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;

namespace Resilience.EntityFrameworkCore;

/// <summary>Finds retries of a driver's own: SqlClient has one for connections and one for commands (<c>RetryLogicProvider</c>), which know nothing of what was
/// sent, and whose attempts multiply with those of the pipeline. Drivers are known by the name of that property, because this package refers to none.</summary>
internal static class DriverRetries
{
    private const string Provider = "RetryLogicProvider";

    private static readonly ConcurrentDictionary<Type, PropertyInfo?> Known = [];

    /// <summary>Whether objects of this type may have one: asked of each command.</summary>
    internal static bool MayHave(object connectionOrCommand) => PropertyOf(connectionOrCommand) is not null;

    /// <summary>Throws where the driver repeats.</summary>
    /// <param name="connectionOrCommand">What the driver has made.</param>
    /// <param name="pipeline">The name of the pipeline around it.</param>
    /// <exception cref="InvalidOperationException">It does.</exception>
    internal static void ThrowIfAny(object connectionOrCommand, string pipeline)
    {
        if (MaxTriesOf(connectionOrCommand) is not { } tries || tries <= 1) return;
        string what = connectionOrCommand is DbCommand ? "command" : "connection", most = tries.ToString(CultureInfo.InvariantCulture);
        throw new InvalidOperationException(
            $"RES020: the {what} has a {Provider} of its driver, which makes up to {most} attempts below each attempt of the pipeline '{pipeline}', and "
            + "repeats what may have been applied. Take it out, or say AllowDriverRetries in the options of UseResilience.");
    }

    /// <summary>How often the driver tries; null where it has no such thing.</summary>
    private static int? MaxTriesOf(object connectionOrCommand)
    {
        object? logic = PropertyOf(connectionOrCommand)?.GetValue(connectionOrCommand) is { } provider ? Read(provider, "RetryLogic") : null;
        return logic is null ? null : Read(logic, "NumberOfTries") as int?;
    }

    private static PropertyInfo? PropertyOf(object connectionOrCommand) =>
        Known.GetOrAdd(connectionOrCommand.GetType(), static type => Find(type, Provider));

    private static object? Read(object from, string property) => Find(from.GetType(), property)?.GetValue(from);

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Who sets the provider keeps the property; where it was trimmed away none is set.")]
    private static PropertyInfo? Find(Type type, string property) => type.GetProperty(property, BindingFlags.Instance | BindingFlags.Public);
}

using System.Reflection;

namespace Resilience.Tests.Options;

/// <summary>Follows the references of objects: who can still reach what.</summary>
internal static class ObjectGraph
{
    private const int MaxObjects = 100_000;

    // What belongs to the process, and would lead everywhere.
    private static readonly string[] Foreign = ["System.Reflection", "System.Diagnostics", "System.Threading.Thread", "System.Runtime", "System.IO",
        "System.Net"];

    /// <summary>The way from one object to one of others, as the names of fields; null when there is none.</summary>
    internal static string? PathTo(object from, IEnumerable<object> wanted)
    {
        HashSet<object> targets = new(wanted, ReferenceEqualityComparer.Instance), seen = new(ReferenceEqualityComparer.Instance);
        Queue<(object One, string Path)> ahead = new([(from, from.GetType().Name)]);
        while (ahead.TryDequeue(out (object One, string Path) next) && seen.Count < MaxObjects)
        {
            foreach ((object value, string name) in ReferencesOf(next.One))
            {
                string path = $"{next.Path}.{name}";
                if (targets.Contains(value)) return path;
                if (value.GetType().IsValueType || seen.Add(value)) ahead.Enqueue((value, path));
            }
        }

        return seen.Count < MaxObjects ? null : throw new InvalidOperationException($"{from.GetType().Name} leads to more than {MaxObjects} objects.");
    }

    private static IEnumerable<(object Value, string Name)> ReferencesOf(object one)
    {
        if (one is Array array)
        {
            if (IsLeaf(array.GetType().GetElementType()!)) yield break;
            int index = 0;
            foreach (object? element in array)
            {
                if (element is not null && !IsLeaf(element.GetType())) yield return (element, $"[{index}]");
                index++;
            }

            yield break;
        }

        for (Type? type = one.GetType(); type is not null && type != typeof(object); type = type.BaseType)
        {
            foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                if (IsLeaf(field.FieldType) || field.FieldType.IsByRefLike) continue;
                if (field.GetValue(one) is { } value && !IsLeaf(value.GetType())) yield return (value, field.Name);
            }
        }
    }

    private static bool IsLeaf(Type type) =>
        type.IsPrimitive || type.IsEnum || type.IsPointer || type.IsFunctionPointer || type == typeof(string) || typeof(Type).IsAssignableFrom(type)
        || Array.Exists(Foreign, f => type.FullName?.StartsWith(f, StringComparison.Ordinal) == true);
}

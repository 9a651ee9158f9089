using Resilience.Extensibility;
using Resilience.Http;

namespace Resilience.Configuration;

/// <summary>The keys of a section: what is checked before anything is taken from it.</summary>
/// <param name="Description">What the section is, for the person who edits the file.</param>
/// <param name="Keys">Its keys.</param>
internal sealed record SettingsSchema(string Description, IReadOnlyList<PolicySetting> Keys)
{
    /// <summary>The keys of the standard pipeline of an HttpClient.</summary>
    internal static SettingsSchema Http { get; } = new(
        "The pipeline of an HttpClient: total timeout > retry > circuit breaker > concurrency limit > attempt timeout. What is absent has its default.",
        PolicySettings.Of(new StandardResilienceOptions()));

    /// <summary>Where the setting stands that an option came from: <c>Retry.Ratio</c> is <c>Retry:Budget:Ratio</c>.</summary>
    internal string PathOf(string option)
    {
        string[] parts = option.Split('.', 2);
        if (parts.Length == 1 || PolicySetting.Find(Keys, parts[0]) is not { Kind: PolicySettingKind.Group } group) return PathWithin(option);
        return $"{group.Name}:{PathIn(group.Settings, parts[1]) ?? PathWithin(parts[1])}";
    }

    /// <summary>Where a setting of a group stands, by the name of its option; null when the option is no setting.</summary>
    internal static string? PathIn(IReadOnlyList<PolicySetting> group, string option)
    {
        string path = PathWithin(option);
        if (PolicySetting.Find(group, path.Split(':')[0]) is not null) return path;
        PolicySetting? inner = group.FirstOrDefault(s => s.Kind == PolicySettingKind.Group && PolicySetting.Find(s.Settings, option) is not null);
        return inner is null ? null : $"{inner.Name}:{option}";
    }

    /// <summary><c>Schedule.Windows[0].From</c> is <c>Schedule:Windows:0:From</c>.</summary>
    private static string PathWithin(string option) =>
        option.Replace('.', ':').Replace("[", ":", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal);
}

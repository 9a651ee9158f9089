namespace Resilience.Configuration;

/// <summary>What was read from a section.</summary>
/// <param name="Settings">The settings, without the values that could not be read.</param>
/// <param name="Problems">Everything that is wrong with the keys and the form of their values.</param>
/// <param name="IsEmpty">True when the section does not exist or has nothing in it.</param>
internal sealed record SettingsReading<TSettings>(TSettings Settings, IReadOnlyList<SettingProblem> Problems, bool IsEmpty);

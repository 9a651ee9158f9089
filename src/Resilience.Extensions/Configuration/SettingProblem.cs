namespace Resilience.Configuration;

/// <summary>Something that is wrong in the configuration.</summary>
/// <param name="Path">The full path of the key.</param>
/// <param name="Text">What is wrong, to be read after the path.</param>
internal sealed record SettingProblem(string Path, string Text)
{
    public override string ToString() => $"{Path} {Text}";
}

namespace Resilience.Tests.Support;

/// <summary>Says what a machine must have for a test: on a test method, on a class of tests, or on a fixture (then it holds for every class that uses the
/// fixture).</summary>
/// <remarks>Where it is missing the test is skipped by name and counted. Under <c>CI=true</c> it runs, and fails, unless the tool is in
/// <c>tests/absent-in-ci.txt</c>.</remarks>
/// <param name="tools">Names from the <see cref="Tool"/> list.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class RequiresAttribute(params string[] tools) : Attribute
{
    public IReadOnlyList<string> Tools { get; } = tools;
}

namespace Resilience;

/// <param name="Id">Names the policy in states.</param>
/// <param name="Name">Its name.</param>
/// <param name="Role">What it is for.</param>
/// <param name="Depth">How many pipelines it is nested in.</param>
/// <param name="Options">The options in effect.</param>
internal sealed record PolicyLayout(string Id, string Name, string Role, int Depth, IReadOnlyList<OptionLayout> Options);

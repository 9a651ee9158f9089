using Microsoft.Extensions.Configuration;

namespace Resilience;

/// <summary>A section each child of which is a pipeline.</summary>
/// <param name="Section">The section; null when the container knows the configuration.</param>
/// <param name="Path">The path of the section in the container's configuration.</param>
internal sealed record PipelinesSection(IConfiguration? Section, string? Path);

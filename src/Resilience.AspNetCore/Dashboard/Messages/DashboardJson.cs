using System.Text.Json.Serialization;

namespace Resilience;

/// <summary>Text without reflection. The encoder escapes everything that could mean something in HTML.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DashboardAll))]
[JsonSerializable(typeof(DashboardAction))]
[JsonSerializable(typeof(DashboardResponse))]
internal sealed partial class DashboardJson : JsonSerializerContext;

using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.Extensions.Options;

namespace Resilience.Idempotency;

/// <summary>Tells every generator of OpenAPI documents about the header and the problem answers: they all read the descriptions of the
/// framework.</summary>
internal sealed class IdempotencyApiDescriptions(IOptions<IdempotencyEndpointOptions> options) : IApiDescriptionProvider
{
    /// <summary>After the framework's own providers.</summary>
    public int Order => 1000;

    public void OnProvidersExecuting(ApiDescriptionProviderContext context)
    {
    }

    public void OnProvidersExecuted(ApiDescriptionProviderContext context)
    {
        foreach (ApiDescription description in context.Results)
        {
            IIdempotencyKeyMetadata? endpoint = description.ActionDescriptor.EndpointMetadata.OfType<IIdempotencyKeyMetadata>().LastOrDefault();
            if (endpoint is null || IdempotencyTarget.IsSafe(description.HttpMethod ?? "GET")) continue;
            Describe(description, IdempotencyEndpoints.OptionsOf(endpoint, options.Value));
        }
    }

    private static void Describe(ApiDescription description, IdempotencyEndpointOptions options)
    {
        EmptyModelMetadataProvider models = new();
        description.ParameterDescriptions.Add(new()
        {
            Name = options.HeaderName,
            Source = BindingSource.Header,
            Type = typeof(string),
            IsRequired = options.IsRequired && options.KeyFor is null,
            ModelMetadata = models.GetMetadataForType(typeof(string)),
            ParameterDescriptor = new() { Name = options.HeaderName, ParameterType = typeof(string) },
        });
        foreach (int status in IdempotencyProblems.Statuses.Except(description.SupportedResponseTypes.Select(r => r.StatusCode)).ToList())
        {
            description.SupportedResponseTypes.Add(new()
            {
                StatusCode = status,
                Type = typeof(ProblemDetails),
                ModelMetadata = models.GetMetadataForType(typeof(ProblemDetails)),
                ApiResponseFormats = [new() { MediaType = "application/problem+json" }],
            });
        }
    }
}

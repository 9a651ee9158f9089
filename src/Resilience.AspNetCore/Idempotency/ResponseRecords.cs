using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Resilience.Idempotency;

/// <summary>Writes responses as they are recorded, and reads them.</summary>
internal sealed class ResponseRecords(IdempotencyEndpointOptions options, PayloadCipher? cipher)
{
    /// <summary>The response of an endpoint as it is recorded. One that cannot be written down (the keys that encrypt it are away) is no reason to begin
    /// the request again: then it is recorded without it.</summary>
    internal (IdempotencyPayloadKind Kind, byte[] Record) Encode(EndpointRun run)
    {
        try
        {
            return (IdempotencyPayloadKind.HttpResponse, EncodeWhole(run));
        }
        catch (Exception failed)
        {
            IdempotencyLog.ResponseNotKept(run.Context, run.Claim.Id, failed);
            return (IdempotencyPayloadKind.DoneWithoutResult, []);
        }
    }

    private byte[] EncodeWhole(EndpointRun run)
    {
        // Trailers say how a body is to be read (in gRPC, whether the call went well): without them it is not the same response.
        bool isOmitted = run.Captured.IsPassing || run.Captured.IsTooLarge
            || run.Context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers is { Count: > 0 };
        byte[] record = new HttpResponseRecord
        {
            Status = run.Status,
            Headers = KeptHeaders.Of(run.Context.Response, run.HeadersBefore, options),
            IsBodyOmitted = isOmitted,
            Body = isOmitted ? default : run.Captured.Body,
        }.Encode();
        return cipher?.Encrypt(run.Claim.Id, record) ?? record;
    }

    /// <summary>A response as it is recorded, without sending it: it is executed against the request with a response of its own.</summary>
    internal async Task<byte[]> EncodeAsync(HttpContext context, IdempotencyId id, IResult response)
    {
        using MemoryStream body = new();
        FeatureCollection features = new(context.Features);
        features.Set<IHttpResponseFeature>(new HttpResponseFeature());
        features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(body));
        DefaultHttpContext apart = new(features);
        await response.ExecuteAsync(apart).ConfigureAwait(false);
        await apart.Response.BodyWriter.FlushAsync(context.RequestAborted).ConfigureAwait(false);
        bool isOmitted = body.Length > options.MaxResponseBodyBytes;
        byte[] record = new HttpResponseRecord
        {
            Status = apart.Response.StatusCode,
            Headers = KeptHeaders.Of(apart.Response, [], options),
            IsBodyOmitted = isOmitted,
            Body = isOmitted ? default : body.GetBuffer().AsMemory(0, (int)body.Length),
        }.Encode();
        return cipher?.Encrypt(id, record) ?? record;
    }

    /// <summary>Null when it is none, or cannot be read here.</summary>
    internal HttpResponseRecord? Read(IdempotencyId id, ReadOnlyMemory<byte> content)
    {
        if (!PayloadCipher.IsEncrypted(content.Span)) return HttpResponseRecord.Decode(content);
        return cipher?.TryDecrypt(id, content.Span) is { } record ? HttpResponseRecord.Decode(record) : null;
    }
}

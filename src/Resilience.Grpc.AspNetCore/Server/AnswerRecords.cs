using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Resilience.Extensibility;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>Writes the answers of one method as they are recorded, and reads them.</summary>
internal sealed class AnswerRecords<TResponse>(MethodProtection protection, IMethod method, Marshaller<TResponse> marshaller)
    where TResponse : class
{
    private readonly GrpcIdempotencyOptions _options = protection.Options;

    /// <summary>The answer of a method that returned. A response that cannot be written is kept as one that was too large: the method was carried
    /// out.</summary>
    internal GrpcAnswer Returned(TResponse? response, Status status, Metadata trailers)
    {
        if (response is null) return new() { Status = Status.DefaultCancelled, Trailers = Kept(trailers) }; // as the library answers it
        try
        {
            return new() { Status = status, Trailers = Kept(trailers), Message = MessageBytes.Write(marshaller, response) };
        }
        catch (Exception unwritable)
        {
            SafeCalls.Report("grpc response marshaller", unwritable);
            return new() { Status = status, IsOmitted = true };
        }
    }

    /// <summary>The answer of a method that threw; null: an exception that is no answer of the method's own.</summary>
    internal GrpcAnswer? Thrown(Exception error, Metadata trailers)
    {
        if (error is not RpcException rpc || (IsOfAnotherCall(rpc) && !_options.Statuses.ContainsKey(rpc.StatusCode))) return null;
        return new() { Status = rpc.Status, Trailers = Kept([.. trailers, .. rpc.Trailers]) };
    }

    /// <summary>The answer as it is recorded. One that cannot be written down (the keys that encrypt it are away) is no reason to begin the call again: then
    /// it is recorded without it.</summary>
    internal (IdempotencyPayloadKind Kind, byte[] Record) Encode(HttpContext http, IdempotencyId id, GrpcAnswer answer)
    {
        try
        {
            return (IdempotencyPayloadKind.GrpcAnswer, WriteDown(id, answer));
        }
        catch (Exception failed)
        {
            GrpcIdempotencyLog.AnswerNotKept(http, id, failed);
            return (IdempotencyPayloadKind.DoneWithoutResult, []);
        }
    }

    private byte[] WriteDown(IdempotencyId id, GrpcAnswer answer)
    {
        byte[] record = answer.Encode(_options.MaxResponseBytes);
        return protection.Cipher?.Encrypt(id, record) ?? record;
    }

    /// <summary>A response of the method's own, which it is about to record in its transaction.</summary>
    /// <exception cref="ArgumentException">It is no response of this method.</exception>
    internal byte[] WriteDown(IdempotencyId id, object response, Metadata trailers) => response is TResponse message
        ? WriteDown(id, Returned(message, Status.DefaultSuccess, trailers))
        : throw new ArgumentException($"{method.FullName} answers with {typeof(TResponse).Name}, and this is {response.GetType().Name}.", nameof(response));

    /// <summary>What was found out, as it is recorded.</summary>
    /// <exception cref="InvalidOperationException">What was found is no response of this method.</exception>
    internal IdempotencyResolution ResolutionOf(HttpContext http, IdempotencyId id, GrpcIdempotencyFinding finding)
    {
        if (finding.Response is null) return IdempotencyResolution.NotDone;
        if (finding.Response is not TResponse response)
            throw new InvalidOperationException($"{method.FullName} answers with {typeof(TResponse).Name}, and {finding.Response.GetType().Name} was found.");
        GrpcAnswer answer = new()
        {
            Status = Status.DefaultSuccess,
            Trailers = Kept(finding.Trailers),
            Message = MessageBytes.Write(marshaller, response),
        };
        (IdempotencyPayloadKind kind, byte[] record) = Encode(http, id, answer);
        return IdempotencyResolution.DoneWith(kind, record);
    }

    internal GrpcAnswer? Read(IdempotencyId id, ReadOnlyMemory<byte> content)
    {
        if (!PayloadCipher.IsEncrypted(content.Span)) return GrpcAnswer.Decode(content);
        return protection.Cipher?.TryDecrypt(id, content.Span) is { } record ? GrpcAnswer.Decode(record) : null;
    }

    /// <summary>False: what is stored is no message of this method, or none that this version of it can read.</summary>
    internal bool TryReadMessage(GrpcAnswer answer, out TResponse? message)
    {
        message = null;
        if (answer.Message is not { } bytes) return true;
        try
        {
            message = MessageBytes.Read(marshaller, bytes);
            return message is not null;
        }
        catch (Exception unreadable)
        {
            SafeCalls.Report("grpc response marshaller", unreadable);
            return false;
        }
    }

    private List<Metadata.Entry> Kept(IEnumerable<Metadata.Entry> trailers) => [.. trailers.Where(IsKept)];

    private bool IsKept(Metadata.Entry trailer)
    {
        bool isOfProtocol = trailer.Key.StartsWith("grpc-", StringComparison.Ordinal) && trailer.Key != "grpc-status-details-bin";
        bool isOurs = trailer.Key is GrpcProblems.ProblemTrailer or GrpcProblems.ReplayedTrailer or GrpcProblems.StatusTrailer;
        return !isOfProtocol && !isOurs && _options.KeptTrailers?.Contains(trailer.Key) != false;
    }

    /// <summary>A call that the method itself made, whose transport broke, or that a policy ended: what it says of that call is judged as any exception. (The
    /// other statuses of a transport are held anyway.)</summary>
    private static bool IsOfAnotherCall(RpcException error) =>
        error is ICarriesRejection || error is { StatusCode: StatusCode.Unavailable, Status.DebugException: not null };
}

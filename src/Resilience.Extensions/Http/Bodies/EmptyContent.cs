using System.Net;

namespace Resilience.Http;

/// <summary>Stands for a content where there is none, so that it is seen whether a sending has begun.</summary>
/// <remarks>Where a connection is closed without an answer, SocketsHttpHandler sends requests again of which no body was begun, whatever
/// their method, and no budget knows of it. It writes <c>Content-Length: 0</c> for the methods that get this content anyhow.</remarks>
internal sealed class EmptyContent : WatchedContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        Begin();
        End();
        return Task.CompletedTask;
    }

    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        Begin();
        End();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return true;
    }
}

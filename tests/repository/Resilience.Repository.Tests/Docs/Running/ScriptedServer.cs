using System.Net;

namespace Resilience.Tests.Docs.Running;

/// <summary>The server that the blocks of the documents call, whatever its name is: it answers what the block's mark says, the last answer again and
/// again, and remembers what it was asked. Public, for the compiled blocks use it.</summary>
public sealed class ScriptedServer : HttpMessageHandler
{
    private readonly Lock _gate = new();
    private readonly List<Request> _requests = [];
    private object[] _answers = ["answer"];

    /// <param name="Method">In capitals.</param>
    /// <param name="Uri">Whole.</param>
    /// <param name="Headers">Of the request, each with its values joined.</param>
    public sealed record Request(string Method, Uri Uri, IReadOnlyDictionary<string, string> Headers)
    {
        public string? Key => Headers.GetValueOrDefault("Idempotency-Key");
    }

    public IReadOnlyList<Request> Requests
    {
        get
        {
            lock (_gate) return [.. _requests];
        }
    }

    public int Asked => Requests.Count;

    /// <summary>A number is a status, a text a body with 200, an exception is thrown, "hang" waits for the token; a function makes one of these.</summary>
    public void Answers(params object[] answers) => _answers = answers;

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) =>
        SendAsync(request, cancellationToken).GetAwaiter().GetResult();

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        object answer;
        lock (_gate)
        {
            answer = _answers[Math.Min(_requests.Count, _answers.Length - 1)];
            _requests.Add(new(request.Method.Method, request.RequestUri!, request.Headers.ToDictionary(h => h.Key, h => string.Join(", ", h.Value))));
        }

        if (answer is Func<HttpRequestMessage, object> made) answer = made(request);
        if (answer is "hang") await Task.Delay(Timeout.Infinite, cancellationToken);
        return answer switch
        {
            Exception failure => throw failure,
            int status => Of((HttpStatusCode)status, "", request),
            HttpResponseMessage whole => whole,
            _ => Of(HttpStatusCode.OK, answer.ToString()!, request),
        };
    }

    private static HttpResponseMessage Of(HttpStatusCode status, string body, HttpRequestMessage request) =>
        new(status) { Content = new StringContent(body), RequestMessage = request };
}

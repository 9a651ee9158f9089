using Microsoft.AspNetCore.Http;

namespace Resilience.Overload;

/// <summary>A request that has a place. The place is held to the end, the latency ends when the answer begins: how fast the client reads says nothing of
/// us.</summary>
internal sealed class ServedRequest(HttpContext context, LoadShedder shedder, ShedAdmission admission)
{
    private const int Running = 0, Left = 1;

    private TimeSpan? _latency;
    private int _state;

    internal static Func<object, Task> Starting { get; } = static served => ((ServedRequest)served).Begin();

    /// <summary>Redirects and what was not changed are answers like others; what the caller did wrong is found out quickly, and says nothing.</summary>
    internal static Verdict VerdictOf(int status) => status switch
    {
        < 400 => Verdict.Success,
        < 500 => Verdict.Ignored,
        _ => Verdict.Failure,
    };

    internal void End(Verdict verdict)
    {
        if (Interlocked.Exchange(ref _state, Left) == Running) shedder.Leave(admission, verdict, _latency);
    }

    /// <summary>A stream gives its place back here, as it may last for days.</summary>
    private Task Begin()
    {
        if (StreamedResponses.IsOne(context)) End(Verdict.Ignored);
        else _latency = shedder.ElapsedSince(admission);
        return Task.CompletedTask;
    }
}

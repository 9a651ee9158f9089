namespace Resilience;

/// <summary>What all calls of one pipeline have in common.</summary>
internal sealed class CallSite(string pipelineName, Clock clock, CallInstruments instruments)
{
    internal static readonly CallSite None = new("", Clock.System, CallInstruments.For(ResilienceTelemetry.Meter));

    internal readonly string PipelineName = pipelineName;
    internal readonly Clock Clock = clock;
    internal readonly CallInstruments Instruments = instruments;
}

namespace Resilience.Idempotency;

/// <summary>Any database whose clock is known.</summary>
internal sealed class PortableDialect(string clock) : RecordDialect
{
    internal override string Name => "entity-framework";

    internal override string Clock => $"({clock})";
}

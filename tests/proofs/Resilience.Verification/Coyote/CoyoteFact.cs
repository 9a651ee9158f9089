namespace Resilience.Verification.Coyote;

/// <summary>A test that needs scheduling points; built with -p:Coyote=false it is reported as skipped.</summary>
internal sealed class CoyoteFactAttribute : FactAttribute
{
    internal const string? Reason =
#if WITHOUT_COYOTE
        "Built with -p:Coyote=false.";
#else
        null;
#endif

    public CoyoteFactAttribute() => Skip = Reason;
}

/// <inheritdoc cref="CoyoteFactAttribute"/>
internal sealed class CoyoteTheoryAttribute : TheoryAttribute
{
    public CoyoteTheoryAttribute() => Skip = CoyoteFactAttribute.Reason;
}

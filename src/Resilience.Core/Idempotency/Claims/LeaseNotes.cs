namespace Resilience.Idempotency;

/// <summary>What the keeper knows of one claim; a part of it. Times are milliseconds of the gate's clock.</summary>
internal struct LeaseNotes(long asked)
{
    /// <summary>When the first claim was asked for: execution is measured from here.</summary>
    internal readonly long Begun = asked;

    /// <summary>When the request was sent that the store granted last: the lease cannot have begun earlier.</summary>
    internal long Granted = asked;

    /// <summary>When to renew next.</summary>
    internal long RenewAt;

    /// <summary>A renewal is under way.</summary>
    internal bool IsRenewing;

    /// <summary>The last renewal failed, so that it is not known whether the claim stands.</summary>
    internal bool IsInDoubt;

    /// <summary>It is renewed.</summary>
    internal bool IsOpen;
}

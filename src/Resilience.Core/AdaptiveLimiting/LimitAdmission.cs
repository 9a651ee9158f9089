using System.Diagnostics.CodeAnalysis;

namespace Resilience.Overload;

/// <summary>The answer of <see cref="AdaptiveConcurrencyLimit.EnterAsync"/>: a permit, or why there is none.</summary>
public readonly struct LimitAdmission
{
    internal LimitAdmission(LimitPermit permit) => Permit = permit;

    internal LimitAdmission(AdaptiveLimitRejection rejection) => Rejection = rejection;

    /// <summary>True when the call may run; give the <see cref="Permit"/> back when it has ended.</summary>
    [MemberNotNullWhen(false, nameof(Rejection))]
    public bool IsAdmitted => Rejection is null;

    /// <summary>The place that was taken. Means nothing when the call was rejected.</summary>
    public LimitPermit Permit { get; }

    /// <summary>Why the call was rejected; null when it was admitted.</summary>
    public AdaptiveLimitRejection? Rejection { get; }
}

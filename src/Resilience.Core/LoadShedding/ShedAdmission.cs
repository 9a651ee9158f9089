using System.Diagnostics.CodeAnalysis;

namespace Resilience.Overload;

/// <summary>The answer of a <see cref="LoadShedder"/>: a place, or why there is none. If admitted, give it back with <see cref="LoadShedder.Leave"/>, exactly
/// once.</summary>
public readonly struct ShedAdmission
{
    internal ShedAdmission(LimitPermit? permit) => Permit = permit;

    internal ShedAdmission(ShedRejection rejection) => Rejection = rejection;

    /// <summary>Whether the request may be carried out.</summary>
    [MemberNotNullWhen(false, nameof(Rejection))]
    public bool IsAdmitted => Rejection is null;

    /// <summary>Why not; null when it was admitted.</summary>
    public ShedRejection? Rejection { get; }

    /// <summary>The place; null where it was admitted without one, because nothing is rejected in a dry run.</summary>
    internal LimitPermit? Permit { get; }
}

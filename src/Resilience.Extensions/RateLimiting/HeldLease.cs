using System.Threading.RateLimiting;
using Resilience.Overload;

namespace Resilience;

/// <summary>A place of an adaptive limit, held until it is disposed of. Without an owner it holds none.</summary>
internal sealed class HeldLease(HeldLeases? owner, LimitPermit permit) : RateLimitLease
{
    internal LimitPermit Permit => permit;

    /// <summary>Where its owner keeps it, under the owner's lock; null when it holds no place any more.</summary>
    internal LinkedListNode<HeldLease>? Node { get; set; }

    public override bool IsAcquired => true;

    public override IEnumerable<string> MetadataNames => [];

    public override bool TryGetMetadata(string metadataName, out object? metadata)
    {
        metadata = null;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        owner?.End(this);
        base.Dispose(disposing);
    }
}

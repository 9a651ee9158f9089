namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>A shop whose model has the records.</summary>
internal sealed class RecordShop(DbContextOptions<RecordShop> options) : Shop(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        modelBuilder.AddIdempotency();
    }
}

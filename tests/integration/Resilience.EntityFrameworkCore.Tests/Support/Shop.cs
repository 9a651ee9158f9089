namespace Resilience.EntityFrameworkCore.Tests.Support;

internal sealed class Order
{
    public long Id { get; set; }

    /// <summary>Of the call that wrote it: two rows of one are a write that was done twice.</summary>
    public Guid Operation { get; set; }

    /// <summary>Unique.</summary>
    public string? Code { get; set; }
}

internal sealed class Account
{
    public int Id { get; set; }

    public int Balance { get; set; }
}

internal class Shop(DbContextOptions options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    public DbSet<Account> Accounts => Set<Account>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Order>(order =>
        {
            order.ToTable("orders");
            order.Property(o => o.Id).HasColumnName("id");
            order.Property(o => o.Operation).HasColumnName("operation");
            order.Property(o => o.Code).HasColumnName("code");
            order.HasIndex(o => o.Code).IsUnique();
        });
        modelBuilder.Entity<Account>(account =>
        {
            account.ToTable("accounts");
            account.Property(a => a.Id).HasColumnName("id").ValueGeneratedNever();
            account.Property(a => a.Balance).HasColumnName("balance");
        });
    }
}

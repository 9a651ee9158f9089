using Microsoft.Extensions.DependencyInjection;

namespace Resilience.StoreTests;

/// <summary>Packages of stores know the core's contract of a builder, and no container of ours.</summary>
public sealed class StoreBuilderTests
{
    private sealed class PlainBuilder : IIdempotencyStoreBuilder
    {
        public string Name => "";

        internal Func<IServiceProvider, IIdempotencyStore>? Create { get; private set; }

        public void SetStore(Func<IServiceProvider, IIdempotencyStore> create) => Create = create;
    }

    private sealed class NoServices : IServiceProvider
    {
        public object? GetService(Type serviceType) => null;
    }

    [Fact]
    public async Task A_store_adds_itself_to_a_builder_that_is_none_of_ours_and_gives_it_back()
    {
        PlainBuilder builder = new();
        builder.UseSqlite("Data Source=:memory:").Should().BeSameAs(builder);
        await using (SqliteIdempotencyStore sqlite = builder.Create!(new NoServices()).Should().BeOfType<SqliteIdempotencyStore>().Subject)
        {
        }

        builder.UsePostgreSql("Host=nowhere").Should().BeSameAs(builder);
        await using PostgresIdempotencyStore postgres = builder.Create!(new NoServices()).Should().BeOfType<PostgresIdempotencyStore>().Subject;
        PlainBuilder other = new();
        other.UseRedis("nowhere:6379").Should().BeSameAs(other);
        other.Create.Should().NotBeNull();
    }

    [Fact]
    public void A_store_without_a_connection_of_its_own_says_what_the_container_lacks()
    {
        Lacks(b => b.UsePostgreSql()).WithMessage("*NpgsqlDataSource*register one, or give UsePostgreSql a connection string.");
        Lacks(b => b.UseRedis()).WithMessage("*IConnectionMultiplexer*register one, or give UseRedis a configuration.");

        static FluentAssertions.Specialized.ExceptionAssertions<InvalidOperationException> Lacks(Action<IIdempotencyBuilder> use)
        {
            ServiceCollection services = [];
            use(services.AddIdempotency());
            using ServiceProvider provider = services.BuildServiceProvider();
            return provider.Invoking(p => p.GetRequiredService<IIdempotencyStore>()).Should().Throw<InvalidOperationException>();
        }
    }
}

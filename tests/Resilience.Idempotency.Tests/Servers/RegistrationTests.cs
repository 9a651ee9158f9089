using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using StackExchange.Redis;

namespace Resilience.StoreTests.Servers;

/// <summary>A store that was given a connection string keeps to itself: the application's own connection is neither taken over nor taken.</summary>
public sealed class RegistrationTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_store_s_data_source_and_the_application_s_are_apart_in_both_orders(bool applicationFirst)
    {
        using NpgsqlDataSource own = NpgsqlDataSource.Create("Host=localhost;Database=shop");
        ServiceCollection services = [];
        if (applicationFirst) services.AddSingleton(own);
        services.AddIdempotency().UsePostgreSql("Host=localhost;Database=keys");
        if (!applicationFirst) services.AddSingleton(own);

        services.Where(s => s.ServiceType == typeof(NpgsqlDataSource)).Should().ContainSingle().Which.ImplementationInstance.Should().BeSameAs(own);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_store_s_connection_and_the_application_s_are_apart_in_both_orders(bool applicationFirst)
    {
        IConnectionMultiplexer Connect(IServiceProvider provider) => throw new NotSupportedException("never made here");
        ServiceCollection services = [];
        if (applicationFirst) services.AddSingleton(Connect);
        services.AddIdempotency().UseRedis("localhost:1");
        if (!applicationFirst) services.AddSingleton(Connect);

        services.Should().ContainSingle(s => s.ServiceType == typeof(IConnectionMultiplexer));
    }
}

using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Resilience.EntityFrameworkCore.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests;

/// <summary>Pipelines of contexts in a container: named, kept, shown, configured.</summary>
public sealed class ContainerTests
{
    private static ServiceProvider Build(Action<IServiceCollection>? more = null)
    {
        ServiceCollection services = new();
        services.AddResilience();
        services.AddDbContext<Shop>((sp, options) => options.UseSqlite("Data Source=:memory:").UseResilience(sp, "shop-db"));
        more?.Invoke(services);
        return services.BuildServiceProvider();
    }

    private static void Use(IServiceProvider services)
    {
        using IServiceScope scope = services.CreateScope();
        using Shop shop = scope.ServiceProvider.GetRequiredService<Shop>();
        shop.Database.OpenConnection();
        shop.Database.EnsureCreated();
        shop.Add(new Order());
        shop.SaveChanges();
    }

    [Fact]
    public void All_contexts_of_a_name_share_a_pipeline_that_the_page_shows()
    {
        using ServiceProvider services = Build();
        Use(services);
        Use(services);
        ResiliencePipelineProvider provider = services.GetRequiredService<ResiliencePipelineProvider>();
        provider.Built.Select(p => p.Name).Should().Equal("shop-db :memory:/main");
        provider.States.Select(s => s.PipelineName).Should().Contain("shop-db :memory:/main");
        provider.Built[0].Describe().Policies.Select(p => p.Role).Should().Equal(PolicyRole.Timeout, PolicyRole.Retry, PolicyRole.CircuitBreaker);
        provider.Built[0].Describe().Settings.Single(s => s.Key == "classifier").Value.Should().Contain("EF Core");
    }

    [Fact]
    public void The_policies_are_those_that_were_registered_under_the_name()
    {
        using ServiceProvider services = Build(s => s.AddResilience().AddPipeline("shop-db", builder => builder.AddRetry(r => r.MaxRetries = 7)));
        Use(services);
        ResiliencePipeline made = services.GetRequiredService<ResiliencePipelineProvider>().Built.Single(p => p.Name == "shop-db :memory:/main");
        made.Describe().Policies.Should().ContainSingle().Which.MaxAttempts.Should().Be(8);
        made.Judge(new DbUpdateConcurrencyException("")).Verdict.Should().Be(Verdict.Ignored);
    }

    [Fact]
    public void They_follow_the_configuration_that_the_name_stands_in()
    {
        ConfigurationManager configuration = new();
        configuration["Pipelines:shop-db:Retry:MaxRetries"] = "1";
        using ServiceProvider services = Build(s => s.AddSingleton<IConfiguration>(configuration).AddResilience().AddPipelines("Pipelines"));
        Use(services);
        ResiliencePipeline made = services.GetRequiredService<ResiliencePipelineProvider>().Built.Single();
        made.Describe().Policies.Should().ContainSingle().Which.MaxAttempts.Should().Be(2);
        configuration["Pipelines:shop-db:Retry:MaxRetries"] = "5";
        ((IConfigurationRoot)configuration).Reload();
        made.Describe().Policies.Should().ContainSingle().Which.MaxAttempts.Should().Be(6);
        made.Judge(new DbUpdateConcurrencyException("")).Verdict.Should().Be(Verdict.Ignored, "the table is there after each change");
    }

    [Fact]
    public void Without_AddResilience_it_says_what_is_missing()
    {
        ServiceCollection collection = new();
        collection.AddDbContext<Shop>((sp, options) => options.UseSqlite("Data Source=:memory:").UseResilience(sp, "shop-db"));
        using ServiceProvider services = collection.BuildServiceProvider();
        ((Action)(() => Use(services))).Should().Throw<InvalidOperationException>().WithMessage("*services.AddResilience()*");
    }

    [Fact]
    public void A_partition_of_a_name_that_nothing_completes_must_be_registered()
    {
        using ServiceProvider services = Build(s => s.AddResilience().AddPipeline("orders", builder => builder.AddRetry()));
        ResiliencePipelineProvider provider = services.GetRequiredService<ResiliencePipelineProvider>();
        ResiliencePipeline one = provider.GetPipeline("orders", "tenant1");
        provider.GetPipeline("orders", "tenant1").Should().BeSameAs(one).And.NotBeSameAs(provider.GetPipeline("orders", "tenant2"));
        one.Find<RetryBudget>().Should().NotBeSameAs(provider.GetPipeline("orders", "tenant2").Find<RetryBudget>());
        ((Action)(() => provider.GetPipeline("unknown", "tenant1"))).Should().Throw<KeyNotFoundException>().WithMessage("*'unknown'*");
    }
}

namespace Resilience.Tests.ChaosPolicies;

/// <summary>The guard of Production. Environment variables belong to the process, so these tests run when the others have ended.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class ChaosEnvironmentTests
{
    private static void Build(string? builder = null, Action<ChaosOptions>? configure = null) =>
        new ResiliencePipelineBuilder { EnvironmentName = builder }.AddChaos(o => configure?.Invoke(o)).Build();

    private static void WithVariables(string? dotnet, string? aspnet, Action act)
    {
        string? dotnetBefore = Environment.GetEnvironmentVariable("DOTNET_ENVIRONMENT"),
            aspnetBefore = Environment.GetEnvironmentVariable("ASPNETCORE_ENVIRONMENT");
        try
        {
            Environment.SetEnvironmentVariable("DOTNET_ENVIRONMENT", dotnet);
            Environment.SetEnvironmentVariable("ASPNETCORE_ENVIRONMENT", aspnet);
            act();
        }
        finally
        {
            Environment.SetEnvironmentVariable("DOTNET_ENVIRONMENT", dotnetBefore);
            Environment.SetEnvironmentVariable("ASPNETCORE_ENVIRONMENT", aspnetBefore);
        }
    }

    [Theory]
    [InlineData(null, null, false)] // unset means Production
    [InlineData("", " ", false)]
    [InlineData("Production", "Development", false)]
    [InlineData("production", null, false)]
    [InlineData("prod-eu", null, false)] // it was not named
    [InlineData("Development", "Production", true)]
    [InlineData(null, "Development", true)]
    [InlineData(null, "staging", true)]
    public void The_variables_say_where_it_runs(string? dotnet, string? aspnet, bool isAllowed) => WithVariables(dotnet, aspnet, () =>
    {
        if (isAllowed) Build();
        else FluentActions.Invoking(() => Build()).Should().Throw<ResilienceOptionsException>();
    });

    [Fact]
    public void The_options_have_the_first_word_and_the_builder_the_second() => WithVariables("Development", null, () =>
    {
        FluentActions.Invoking(() => Build("Production")).Should().Throw<ResilienceOptionsException>();
        FluentActions.Invoking(() => Build("Development", o => o.EnvironmentName = "PRODUCTION")).Should().Throw<ResilienceOptionsException>();
        Build("Production", o => o.EnvironmentName = "Development");
    });

    [Fact]
    public void Production_must_be_named_and_the_message_says_so()
    {
        string message = FluentActions.Invoking(() => Build("Production", o => o.IsOn = false)).Should().Throw<ResilienceOptionsException>().Which.Message;
        message.Should().Contain("chaos: EnvironmentName is 'Production', where chaos is not allowed").And.Contain("Development, Staging")
            .And.Contain("leave the chaos policy out").And.Contain("add that name to AllowedEnvironments");
        Build("Production", o => o.AllowedEnvironments.Add("production"));
    }
}

using System.Net;
using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Resilience.Tests.Architecture;

namespace Resilience.Tests.Docs;

/// <summary>The endpoint of the README, copied as it stands, on a real Kestrel.</summary>
public sealed class ReadmeEndpointTests
{
    private const string Usings = """
        global using System; global using System.Threading.Tasks; global using Resilience; global using Microsoft.Extensions.DependencyInjection;
        global using Microsoft.AspNetCore.Builder; global using Microsoft.AspNetCore.Http;
        """;

    /// <summary>The block with the endpoint: the lines that configure the services, and those of the application.</summary>
    private static (string Services, string App) Block(string page = "README.md", string with = "RequireIdempotencyKey")
    {
        string[] blocks = File.ReadAllText(Path.Combine(Repository.Root, page)).Split("```csharp\n").Skip(1).Select(b => b.Split("```")[0]).ToArray();
        string block = blocks.Single(b => b.Contains(with, StringComparison.Ordinal));
        StatementSyntax[] statements = [.. CSharpSyntaxTree.ParseText(block).GetCompilationUnitRoot().Members.OfType<GlobalStatementSyntax>().Select(g => g.Statement)];
        statements.Should().OnlyContain(s => s.ToString().StartsWith("services.") || s.ToString().StartsWith("app."));
        return (string.Concat(statements.Where(s => s.ToString().StartsWith("services.", StringComparison.Ordinal))),
            string.Concat(statements.Where(s => s.ToString().StartsWith("app.", StringComparison.Ordinal))));
    }

    private static Type Compiled((string Services, string App) block)
    {
        string source = $$"""
            public static class Copied
            {
                public static void Add(IServiceCollection services) { {{block.Services}} }
                public static void Map(WebApplication app) { {{block.App}} }
            }
            """;
        CSharpCompilation compilation = CSharpCompilation.Create(
            "ReadmeEndpoint", [CSharpSyntaxTree.ParseText(Usings), CSharpSyntaxTree.ParseText(source)], References.Packages, new(OutputKind.DynamicallyLinkedLibrary));
        using MemoryStream assembly = new();
        compilation.Emit(assembly).Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error).Should().BeEmpty();
        return Assembly.Load(assembly.ToArray()).GetType("Copied")!;
    }

    /// <summary>The client of the README: the reply of the first request is lost, and the second carries the same key.</summary>
    [Fact]
    public async Task The_client_of_the_readme_sends_a_post_again_under_one_key()
    {
        ServiceCollection services = new();
        Compiled(Block(with: "AddHttpClient")).GetMethod("Add")!.Invoke(null, [services]);
        LostReply network = new();
        services.AddHttpClient("payments").ConfigurePrimaryHttpMessageHandler(() => network);
        await using ServiceProvider container = services.BuildServiceProvider();
        using HttpResponseMessage answer = await container.GetRequiredService<IHttpClientFactory>().CreateClient("payments").PostAsync("/charges", new StringContent("5"));
        answer.StatusCode.Should().Be(HttpStatusCode.Created);
        network.Keys.Should().HaveCount(2);
        network.Keys.Distinct().Should().ContainSingle();
    }

    private sealed class LostReply : HttpMessageHandler
    {
        internal List<string> Keys { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Keys.Add(request.Headers.GetValues("Idempotency-Key").Single());
            return Keys.Count == 1 ? throw new HttpRequestException(HttpRequestError.ResponseEnded) : Task.FromResult(new HttpResponseMessage(HttpStatusCode.Created));
        }
    }

    /// <summary>The page of the package: its live page and its endpoint.</summary>
    [Fact]
    public async Task The_application_of_the_page_of_the_package_runs()
    {
        Type copied = Compiled(Block("src/Resilience.AspNetCore/README.md", "MapResilienceDashboard"));
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Development" });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        copied.GetMethod("Add")!.Invoke(null, [builder.Services]);
        await using WebApplication shop = builder.Build();
        copied.GetMethod("Map")!.Invoke(null, [shop]);
        await shop.StartAsync();
        using HttpClient client = new() { BaseAddress = new(shop.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()) };
        (await client.GetStringAsync("/resilience")).Should().Contain("<html");
        (await AskAsync(client, "/charges", "k1")).Should().Be((HttpStatusCode.OK, "charged", false));
        (await AskAsync(client, "/charges", "k1")).Should().Be((HttpStatusCode.OK, "charged", true));
    }

    [Fact]
    public async Task The_endpoint_of_the_readme_executes_a_repeated_request_once_and_gives_the_first_receipt()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        (string services, string app) = Block();
        services.Should().Contain("\"Data Source=keys.db\"");
        Type copied = Compiled((services.Replace("keys.db", Path.Combine(folder, "keys.db"), StringComparison.Ordinal), app));
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        copied.GetMethod("Add")!.Invoke(null, [builder.Services]);
        await using WebApplication shop = builder.Build();
        copied.GetMethod("Map")!.Invoke(null, [shop]);
        Microsoft.AspNetCore.Routing.EndpointDataSource endpoints = ((Microsoft.AspNetCore.Routing.IEndpointRouteBuilder)shop).DataSources.Single();
        await shop.StartAsync();
        string path = endpoints.Endpoints.OfType<Microsoft.AspNetCore.Routing.RouteEndpoint>().Single().RoutePattern.RawText!;
        using HttpClient client = new() { BaseAddress = new(shop.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()) };

        List<(HttpStatusCode Status, string Body, bool IsReplayed)> answers = [];
        foreach (string key in (string[])["k1", "k1", "k2"]) answers.Add(await AskAsync(client, path, key));

        answers.Should().Equal((HttpStatusCode.OK, "charged", false), (HttpStatusCode.OK, "charged", true), (HttpStatusCode.OK, "charged", false));
    }

    /// <summary>Asks again where the store was too slow for its default bound, as a busy machine makes it: nothing was carried out then.</summary>
    private static async Task<(HttpStatusCode Status, string Body, bool IsReplayed)> AskAsync(HttpClient client, string path, string key)
    {
        for (int left = 60; ; left--)
        {
            using HttpRequestMessage request = new(HttpMethod.Post, path);
            request.Headers.Add("Idempotency-Key", key);
            using HttpResponseMessage answer = await client.SendAsync(request);
            if (left == 0 || answer.Headers.RetryAfter?.Delta is not { } wait)
                return (answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers.Contains("Idempotent-Replayed"));
            await Task.Delay(wait);
        }
    }
}

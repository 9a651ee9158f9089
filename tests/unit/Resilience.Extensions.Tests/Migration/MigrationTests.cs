using System.Net;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using After = Shop.WithPipeline;
using AfterClient = Shop.WithClient;
using Before = Shop.WithPolly;
using BeforeClient = Shop.WithMicrosoft;

namespace Resilience.Tests.Migration;

/// <summary>The application of each guide for migration, before and after, with the settings that stand in the guide: both give the same answers.
/// Another test holds the code in the guides against the files of this folder.</summary>
public sealed class MigrationTests
{
    private const string Polly = "docs/moving-from-polly.md", Microsoft = "docs/moving-from-microsoft-http-resilience.md";

    /// <summary>What an application answers, in four situations.</summary>
    private delegate Task<string> Ask(string item, CancellationToken cancellationToken);

    private sealed class Service(Func<int, CancellationToken, Task<HttpResponseMessage>> answer) : HttpMessageHandler
    {
        private int _requests;

        internal int Requests => Volatile.Read(ref _requests);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            answer(Interlocked.Increment(ref _requests), cancellationToken);
    }

    private static readonly Dictionary<string, Func<IConfiguration, HttpMessageHandler, (ServiceProvider Services, Ask Ask)>> Applications = new()
    {
        ["Polly"] = (settings, service) =>
            Build(settings, service, s => Before.Program.AddPrices(s, settings), p => p.GetRequiredService<Before.PriceClient>().GetAsync),
        ["a pipeline"] = (settings, service) =>
            Build(settings, service, After.Program.AddPrices, p => p.GetRequiredService<After.PriceClient>().GetAsync),
        ["Microsoft"] = (settings, service) => Build(
            settings, service, s => BeforeClient.Program.AddPrices(s, settings).ConfigurePrimaryHttpMessageHandler(() => service),
            p => p.GetRequiredService<BeforeClient.PriceClient>().GetAsync),
        ["a client"] = (settings, service) => Build(
            settings, service, s => AfterClient.Program.AddPrices(s).ConfigurePrimaryHttpMessageHandler(() => service),
            p => p.GetRequiredService<AfterClient.PriceClient>().GetAsync),
    };

    private static (ServiceProvider, Ask) Build(
        IConfiguration settings, HttpMessageHandler service, Action<IServiceCollection> add, Func<IServiceProvider, Ask> ask)
    {
        ServiceCollection services = [];
        services.AddLogging().AddSingleton(settings)
            .AddSingleton(_ => new HttpClient(service, disposeHandler: false) { BaseAddress = new("https://prices.example.org/") });
        add(services);
        ServiceProvider provider = services.BuildServiceProvider();
        return (provider, ask(provider));
    }

    /// <summary>The settings of a guide: its first block of JSON after the heading, with some times cut short, so that a
    /// test need not wait.</summary>
    private static IConfiguration Settings(string guide, string heading, params string[] shorter)
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, guide)).ReplaceLineEndings("\n");
        string after = page[page.IndexOf($"\n### {heading}\n", StringComparison.Ordinal)..];
        int begin = after.IndexOf("```json\n", StringComparison.Ordinal) + "```json\n".Length;
        string json = after[begin..after.IndexOf("\n```", begin, StringComparison.Ordinal)];
        IConfigurationRoot asWritten = new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build();
        shorter.Should().OnlyContain(s => asWritten[s.Split('=')[0]] != null, "the guide says it");
        return new ConfigurationBuilder().AddConfiguration(asWritten)
            .AddInMemoryCollection(shorter.Select(s => new KeyValuePair<string, string?>(s.Split('=')[0], s.Split('=')[1]))).Build();
    }

    private static IConfiguration SettingsOf(string application, params string[] shorter) => application switch
    {
        "Polly" => Settings(Polly, "Before", ["Prices:Retry:Delay=00:00:00.001", .. shorter.Select(s => $"Prices:{s}")]),
        "a pipeline" => Settings(Polly, "After", ["Resilience:Pipelines:prices:Retry:BaseDelay=00:00:00.001", .. shorter.Select(s => $"Resilience:Pipelines:prices:{s}")]),
        "Microsoft" => Settings(Microsoft, "Before", ["Prices:Retry:Delay=00:00:00.001", .. shorter.Select(s => $"Prices:{s.Replace("=", ":Timeout=", StringComparison.Ordinal)}")]),
        _ => Settings(Microsoft, "After",
            ["Resilience:HttpClients:prices:Retry:BaseDelay=00:00:00.001", .. shorter.Select(s => $"Resilience:HttpClients:prices:{s}")]),
    };

    public static TheoryData<string> Names => [.. Applications.Keys];

    private static Task<HttpResponseMessage> Answer(HttpStatusCode status, string text = "") =>
        Task.FromResult(new HttpResponseMessage(status) { Content = new StringContent(text) });

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_short_outage_is_survived_before_and_after(string application)
    {
        Service service = new((n, _) => n < 3 ? Answer(HttpStatusCode.ServiceUnavailable) : Answer(HttpStatusCode.OK, "3.50"));
        (ServiceProvider services, Ask ask) = Applications[application](SettingsOf(application), service);
        await using (services)
        {
            (await ask("book", default)).Should().Be("3.50");
            service.Requests.Should().Be(3);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_long_outage_opens_the_circuit_before_and_after(string application)
    {
        Service service = new((_, _) => Answer(HttpStatusCode.ServiceUnavailable));
        (ServiceProvider services, Ask ask) = Applications[application](SettingsOf(application), service);
        await using (services)
        {
            (await ask("book", default)).Should().Be("no price: 503");
            List<string> later = [];
            for (int i = 0; i < 20 && !later.Contains("no price: the service is down"); i++) later.Add(await ask("book", default));
            int requests = service.Requests;
            (await ask("book", default)).Should().Be("no price: the service is down");
            service.Requests.Should().Be(requests);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_service_that_hangs_is_given_up_before_and_after(string application)
    {
        Service service = new(async (_, ct) =>
        {
            await Task.Delay(Timeout.Infinite, ct);
            throw new InvalidOperationException("unreachable");
        });
        (ServiceProvider services, Ask ask) = Applications[application](SettingsOf(application, "AttemptTimeout=00:00:00.1"), service);
        await using (services)
        {
            (await ask("book", default)).Should().Be("no price: it took too long");
            service.Requests.Should().Be(3);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task What_is_not_there_is_told_as_it_is_before_and_after(string application)
    {
        Service service = new((_, _) => Answer(HttpStatusCode.NotFound));
        (ServiceProvider services, Ask ask) = Applications[application](SettingsOf(application), service);
        await using (services) (await ask("nothing", default)).Should().Be("no price: 404");
    }
}

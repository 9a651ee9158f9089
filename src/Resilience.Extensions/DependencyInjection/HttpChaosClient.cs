using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Resilience.Chaos;
using Resilience.Http;

namespace Resilience;

/// <summary>What the chaos of one client shares, however often its handlers are made anew.</summary>
internal sealed class HttpChaosClient
{
    private readonly ResiliencePipeline<HttpResponseMessage> _pipeline;

    internal HttpChaosClient(IServiceProvider services, string client, Action<ChaosOptions> configure)
    {
        ILogger logger = ContainerSetup.Logger(services);
        ResiliencePipelineBuilder<HttpResponseMessage> builder = new();
        ContainerSetup.Apply(builder, services, logger);
        builder.Classify(rules => rules.Http());
        builder.Name = $"{client}-chaos";
        ChaosOptions options = new ChaosOptions().UseHttpFaults();
        configure(options);
        _pipeline = builder.AddChaos(options).Build();
        Switch = _pipeline.Find<ChaosSwitch>()!;
    }

    internal ChaosSwitch Switch { get; }

    internal HttpChaosHandler NewHandler() => new(_pipeline, Switch);

    /// <summary>Has the host reject to start where chaos is not allowed, instead of the first request fail.</summary>
    internal sealed class Check(IServiceProvider services, string client) : IStartCheck
    {
        public IEnumerable<string> FindProblems()
        {
            try
            {
                services.GetRequiredKeyedService<HttpChaosClient>(client);
                return [];
            }
            catch (ResilienceOptionsException wrong)
            {
                return wrong.Problems.Select(p => $"The chaos of the HttpClient '{client}': {p}");
            }
        }
    }
}

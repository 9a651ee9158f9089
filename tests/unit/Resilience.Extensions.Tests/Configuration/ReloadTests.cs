using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Configuration;

/// <summary>Settings that change while pipelines run.</summary>
public sealed class ReloadTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly FakeLogCollector _log = new();

    private ServiceProvider Container(IConfiguration configuration, string name = "orders")
    {
        ServiceCollection services = new();
        services.AddLogging(l => l.AddProvider(new FakeLoggerProvider(_log)));
        services.AddSingleton<TimeProvider>(_time).AddSingleton(configuration);
        services.AddResilience().AddPipeline(name, "P");
        return services.BuildServiceProvider();
    }

    private static IConfigurationRoot Configuration(params (string Key, string Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>(v.Key, v.Value))).Build();

    [Fact]
    public async Task A_file_on_disk_is_followed_through_good_and_bad_and_broken_contents()
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        string folder = Directory.CreateTempSubdirectory("resilience-").FullName, file = Path.Combine(folder, "settings.json");
        await File.WriteAllTextAsync(file, """{ "P": { "AttemptTimeout": "00:00:01" } }""");
        IConfigurationRoot configuration = new ConfigurationBuilder()
            .AddJsonFile(s =>
            {
                s.Path = "settings.json";
                s.FileProvider = new Microsoft.Extensions.FileProviders.PhysicalFileProvider(folder);
                s.ReloadOnChange = true;
                s.ReloadDelay = 50;
                s.OnLoadException = e => e.Ignore = true;
            }).Build();
        using MetricCollector<long> reloads = new(null, "Resilience", "resilience.configuration.reloads");
        await using (ServiceProvider container = Container(configuration, "of a file"))
        {
            ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("of a file");
            await WriteAsync("""{ "P": { "AttemptTimeout": "00:00:02" } }""", "applied");
            Timeout().Should().Be(2);
            await WriteAsync("""{ "P": { "AttemptTimeout": "2" } }""", "rejected");
            Timeout().Should().Be(2);
            await WriteAsync("""{ "P": { } }""", "rejected");
            Timeout().Should().Be(2);
            await WriteAsync("""{ "P": { "AttemptTimeout": "00:00:03" } }""", "applied");
            Timeout().Should().Be(3);
            _log.GetSnapshot().Where(r => r.Id.Id == 21).Select(r => r.Message).Should().SatisfyRespectively(
                m => m.Should().Contain("P:AttemptTimeout is '2', but must be a span of time"), m => m.Should().Contain("P has no settings"));

            double Timeout() => pipeline.Describe().Policies.Single().Timeout!.Value.TotalSeconds;
        }

        Directory.Delete(folder, recursive: true);

        // The watcher may report one change several times, so it is the result that is waited for.
        async Task WriteAsync(string text, string result)
        {
            int before = Mine();
            await File.WriteAllTextAsync(file + ".new", text);
            File.Move(file + ".new", file, overwrite: true);
            while (Mine() == before && !patience.IsCancellationRequested)
                await reloads.WaitForMeasurementsAsync(reloads.GetMeasurementSnapshot().Count + 1).WaitAsync(TimeSpan.FromSeconds(5))
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            int Mine() => reloads.GetMeasurementSnapshot()
                .Count(m => (string?)m.Tags["resilience.pipeline"] == "of a file" && (string?)m.Tags["resilience.result"] == result);
        }
    }

    [Fact]
    public async Task A_spent_budget_stays_spent_and_taken_places_stay_taken()
    {
        IConfigurationRoot configuration = Configuration(
            ("P:Retry:MaxRetries", "1"), ("P:Retry:BaseDelay", "00:00:00"), ("P:Retry:MaxDelay", "00:00:00"),
            ("P:Retry:Budget:Ratio", "0"), ("P:Retry:Budget:MinRetriesPerSecond", "1"), ("P:ConcurrencyLimit:MaxConcurrent", "2"));
        await using ServiceProvider container = Container(configuration);
        ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("orders");
        TaskCompletionSource end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task inFlight = pipeline.ExecuteAsync(async _ => await end.Task).AsTask();
        RetryBudget budget = pipeline.Find<RetryBudget>()!;
        while (budget.TryWithdraw())
        {
        }

        configuration["P:Retry:MaxRetries"] = "2";
        configuration["P:ConcurrencyLimit:MaxConcurrent"] = "1";
        configuration.Reload();
        pipeline.Describe().Policies[0].MaxAttempts.Should().Be(3);
        int attempts = 0;
        (await pipeline.TryExecuteAsync<int>(_ =>
        {
            attempts++;
            throw new IOException();
        })).Verdict.Should().Be(Verdict.Rejected, "the one place is taken by a call that began before");
        end.SetResult();
        await inFlight;
        (await pipeline.TryExecuteAsync<int>(_ =>
        {
            attempts++;
            throw new IOException();
        })).DoNotRetry.Should().BeTrue();
        attempts.Should().Be(1, "the budget is as empty as it was");
        pipeline.Find<RetryBudget>().Should().BeSameAs(budget);
    }

    [Fact]
    public async Task A_call_in_flight_ends_by_the_settings_it_began_with()
    {
        IConfigurationRoot configuration = Configuration(("P:AttemptTimeout", "00:00:10"));
        await using ServiceProvider container = Container(configuration);
        ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("orders");
        Task<Outcome<int>> before = pipeline.TryExecuteAsync(async token =>
        {
            await Task.Delay(System.Threading.Timeout.Infinite, token);
            return 0;
        }).AsTask();
        configuration["P:AttemptTimeout"] = "00:00:01";
        configuration.Reload();
        Task<Outcome<int>> after = pipeline.TryExecuteAsync(async token =>
        {
            await Task.Delay(System.Threading.Timeout.Infinite, token);
            return 0;
        }).AsTask();
        _time.Advance(TimeSpan.FromSeconds(1));
        (await after.WaitAsync(TimeSpan.FromSeconds(30))).Exception.Should().BeOfType<TimedOutException>();
        before.IsCompleted.Should().BeFalse();
        _time.Advance(TimeSpan.FromSeconds(9));
        (await before.WaitAsync(TimeSpan.FromSeconds(30))).Exception.Should().BeOfType<TimedOutException>().Which.Timeout.Should().Be(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Reloads_are_counted_by_their_result()
    {
        using MetricCollector<long> reloads = new(null, "Resilience", "resilience.configuration.reloads");
        IConfigurationRoot configuration = Configuration(("P:AttemptTimeout", "00:00:10"));
        await using ServiceProvider container = Container(configuration);
        container.GetRequiredKeyedService<ResiliencePipeline>("orders");
        foreach (string timeout in new[] { "00:00:05", "x", "00:00:05", "00:00:06" })
        {
            configuration["P:AttemptTimeout"] = timeout;
            configuration.Reload();
        }

        reloads.GetMeasurementSnapshot().Where(m => (string?)m.Tags["resilience.pipeline"] == "orders").Select(m => m.Tags["resilience.result"])
            .Should().Equal("applied", "rejected", "unchanged", "applied");
    }

    [Fact]
    public async Task An_edit_that_is_rejected_is_logged_once_however_often_the_watcher_reports_it()
    {
        IConfigurationRoot configuration = Configuration(("P:AttemptTimeout", "00:00:10"));
        await using ServiceProvider container = Container(configuration);
        container.GetRequiredKeyedService<ResiliencePipeline>("orders");

        Edit("AttemptTimeout", "x");
        configuration.Reload();
        Rejections().Should().Be(1, "it is the same edit");
        Edit("TotalTimeout", "00:01:00");
        Rejections().Should().Be(2, "it is another edit, with the same mistake");
        Edit("AttemptTimeout", "y");
        Rejections().Should().Be(3, "it is another mistake");
        Edit("AttemptTimeout", "00:00:10");
        Rejections().Should().Be(3, "it was put right");
        Edit("AttemptTimeout", "y");
        Rejections().Should().Be(4, "it was wrong again");

        int Rejections() => _log.GetSnapshot().Count(r => r.Id.Id == 21);

        void Edit(string key, string value)
        {
            configuration[$"P:{key}"] = value;
            configuration.Reload();
        }
    }

    [Theory]
    [InlineData("RES001", "P:TotalTimeout=00:00:00.1;P:Retry:BaseDelay=00:00:01;P:Retry:MaxDelay=00:00:01")]
    [InlineData("RES007", "P:TotalTimeout=00:00:05;P:AttemptTimeout=00:00:05")]
    [InlineData("RES008", "P:TotalTimeout=00:00:05;P:Retry:MaxRetries=3;P:AttemptTimeout=00:00:02")]
    [InlineData("RES009", "P:CircuitBreaker:SamplingDuration=00:00:05;P:AttemptTimeout=00:00:06")]
    public async Task Times_that_contradict_stop_the_start_and_those_that_hardly_fit_are_logged_unless_they_are_accepted(string code, string settings)
    {
        (string, string)[] values = [.. settings.Split(';').Select(s => s.Split('=')).Select(p => (p[0], p[1]))];
        await using ServiceProvider found = Container(Configuration(values));
        if (code == "RES007")
        {
            FluentActions.Invoking(() => found.GetRequiredService<IStartupValidator>().Validate()).Should().Throw<OptionsValidationException>()
                .Which.Failures.Should().ContainSingle().Which.Should().StartWith($"P: {code}: ");
        }
        else
        {
            found.GetRequiredService<IStartupValidator>().Validate();
            found.GetRequiredKeyedService<ResiliencePipeline>("orders").Warnings.Should().ContainSingle().Which.Code.Should().Be(code);
            _log.GetSnapshot().Should().ContainSingle(r => r.Id.Id == 22).Which.Message.Should().Contain(code);
        }

        _log.Clear();
        await using ServiceProvider accepted = Container(Configuration([.. values, ("P:AcceptedWarnings:0", code)]));
        accepted.GetRequiredService<IStartupValidator>().Validate();
        accepted.GetRequiredKeyedService<ResiliencePipeline>("orders").Warnings.Should().BeEmpty();
        _log.GetSnapshot().Should().NotContain(r => r.Id.Id == 22);
    }
}

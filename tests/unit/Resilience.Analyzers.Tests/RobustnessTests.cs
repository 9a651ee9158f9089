using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Resilience.Analyzers.Tests;

/// <summary>Editors show analyzers code that is being written, so most of what they see is broken. They must never throw.</summary>
public sealed class RobustnessTests
{
    private static readonly string Everything = Analysis.InClass("""
        static readonly ResiliencePipeline Again = new ResiliencePipelineBuilder().AddRetry().Build();
        ResiliencePipeline Mine => new ResiliencePipelineBuilder().AddRetry().Build();
        async Task<string> PerCallAsync(CancellationToken cancellationToken)
        {
            var p = new ResiliencePipelineBuilder { Name = "p" }.AddRetry(o => o.MaxRetries = 2).Build();
            RetryBudget budget = new();
            if (!budget.TryWithdraw()) return "";
            await Again.TryExecuteAsync(async ct => await Http.PostAsync("x", new StringContent(""), cancellationToken), cancellationToken);
            _ = Again.ExecuteAsync(_ => Http.SendAsync(new HttpRequestMessage(HttpMethod.Post, "x"), CancellationToken.None)).AsTask().Result;
            return await p.ExecuteAsync(async ct => { try { return await Http.GetStringAsync("x"); } catch (Exception e) when (e is not null) { return ""; } catch { return ""; } });
        }
        void Register(IServiceCollection services)
        {
            services.AddTransient(_ => new ResiliencePipelineBuilder().AddCircuitBreaker().Build());
            services.AddHttpClient("a", c => c.Timeout = TimeSpan.FromSeconds(10)).AddStandardResilience(o => o.TotalTimeout = new TimeSpan(0, 0, 40));
            services.AddHttpClient("b", c => c.Timeout = TimeSpan.FromSeconds(2)).AddResilience(b => b.AddTimeout(TimeSpan.FromSeconds(3)).AddRetry());
        }
        object Sdk(IHttpClientFactory clients)
        {
            var o = new Azure.Storage.Blobs.BlobClientOptions { Transport = new Azure.Core.Pipeline.HttpClientTransport(clients.CreateClient("a")), Retry = { MaxRetries = 2 } };
            o.Retry.Delay = TimeSpan.Zero;
            o.AddPolicy(null!, Azure.Core.HttpPipelinePosition.PerRetry);
            return new Azure.Storage.Blobs.BlobServiceClient(null!, o);
        }
        """);

    [Fact]
    public async Task The_whole_snippet_is_what_the_rules_are_about() =>
        (await Analysis.RunAsync(Analysis.CompileWith(SdkTests.Sdks, Analysis.Parse(Everything)))).Select(d => d.Id).Distinct()
            .Should().HaveCountGreaterThanOrEqualTo(8);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task No_broken_code_makes_an_analyzer_throw(int seed)
    {
        Random random = new(seed);
        SyntaxToken[] tokens = [.. CSharpSyntaxTree.ParseText(Everything).GetRoot().DescendantTokens()];
        for (int round = 0; round < 40; round++)
        {
            HashSet<int> lost = [.. Enumerable.Range(0, random.Next(1, 8)).Select(_ => random.Next(tokens.Length))];
            int start = random.Next(4) == 0 ? random.Next(tokens.Length) : tokens.Length; // some end in the middle, as what is being typed does
            string broken = string.Concat(tokens.Take(start).Where((_, i) => !lost.Contains(i)).Select(t => t.ToFullString()));
            (await Analysis.RunAsync(Analysis.CompileWith(SdkTests.Sdks, Analysis.Parse(broken))))
                .Where(d => d.Id.StartsWith("AD", StringComparison.Ordinal)).Select(d => $"{d}\n{broken}").Should().BeEmpty();
        }
    }

    [Fact]
    public async Task An_analyzer_that_throws_would_be_seen() =>
        (await Analysis.RunAsync(Analysis.CompileWith(SdkTests.Sdks, Analysis.Parse(Everything)), new Planted())).Select(d => d.Id).Should().Contain("AD0001");

    [Fact]
    public async Task Without_the_library_there_is_nothing_to_say()
    {
        CSharpCompilation compilation = CSharpCompilation.Create("Other", [Analysis.Parse("class C { void M() { } }")], [MetadataReference.CreateFromFile(typeof(object).Assembly.Location)]);
        (await Analysis.RunAsync(compilation)).Should().BeEmpty();
    }

#pragma warning disable RS1025, RS1026, RS1036, RS1038, RS1041 // a planted one, not one that ships
    [DiagnosticAnalyzer(LanguageNames.CSharp)]
    private sealed class Planted : DiagnosticAnalyzer
    {
        public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [new("PLANTED", "t", "m", "c", DiagnosticSeverity.Warning, true)];

        public override void Initialize(AnalysisContext context) =>
            context.RegisterOperationAction(_ => throw new InvalidOperationException("planted"), OperationKind.Invocation);
    }
#pragma warning restore RS1025, RS1026, RS1036, RS1038, RS1041
}

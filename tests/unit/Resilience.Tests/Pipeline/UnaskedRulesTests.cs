namespace Resilience.Tests.Pipelines;

/// <summary>Rules for results that no call of a pipeline gives are found when it is built (RES021), and rules that are found are never asked.</summary>
public sealed class UnaskedRulesTests
{
    private static Verdict? Never(object? result) => Verdict.Failure;

    private static IReadOnlyList<PipelineWarning> Found<T>(Func<OutcomeClassifier, OutcomeClassifier> rules,
        Action<ResiliencePipelineBuilder<T>>? configure = null)
    {
        ResiliencePipelineBuilder<T> builder = new();
        builder.Classify(rules).AddRetry();
        configure?.Invoke(builder);
        return builder.Build().Warnings;
    }

    [Fact]
    public void A_rule_for_another_type_than_that_of_the_pipeline_is_found()
    {
        PipelineWarning found = Found<string>(r => r.OnResult<int>(x => Never(x))).Should().ContainSingle().Subject;
        (found.Code, found.IsContradiction).Should().Be(("RES021", false));
        found.Message.Should().Contain("of Int32").And.Contain("give String");
        Found<string>(r => r.OnResult<Task<string>>(x => Never(x))).Single().Message.Should().Contain("Task<String>", "often it is a task");
        Found<int>(r => r.OnResultAsync<string>((_, _) => new((Classification?)null))).Should().ContainSingle();
        Found<string>(r => r.OnResult<int>(x => Never(x)).OnResult<long>(x => Never(x))).Single().Message.Should().Contain("Int32 and Int64");
    }

    [Fact]
    public void A_rule_that_can_be_asked_is_not()
    {
        Found<string>(r => r.OnResult<string>(x => Never(x))).Should().BeEmpty();
        Found<string>(r => r.OnResult<object>(x => Never(x))).Should().BeEmpty();
        Found<object>(r => r.OnResult<string>(x => Never(x))).Should().BeEmpty();
        Found<IDisposable>(r => r.OnResult<MemoryStream>(x => Never(x))).Should().BeEmpty();
        Found<MemoryStream>(r => r.OnResult<IDisposable>(x => Never(x))).Should().BeEmpty();
        Found<int?>(r => r.OnResult<int>(x => Never(x))).Should().BeEmpty();
        Found<string>(r => r).Should().BeEmpty("there are none");
        Found<string>(r => r.On<IOException>(Verdict.Failure)).Should().BeEmpty();
    }

    /// <summary>Classifiers are shared, tables are for all, and a pipeline for any type may get any call.</summary>
    [Fact]
    public void What_may_be_meant_for_other_pipelines_is_not()
    {
        Found<string>(r => r.OnResult<string>(x => Never(x)).OnResult<int>(x => Never(x))).Should().BeEmpty();
        Found<string>(r => r.Table("numbers", t => t.OnResult<int>(x => Never(x)))).Should().BeEmpty();
        new ResiliencePipelineBuilder().Classify(r => r.OnResult<int>(x => Never(x))).AddRetry().Build().Warnings.Should().BeEmpty();
    }

    [Fact]
    public void It_can_be_accepted_or_made_an_error()
    {
        Found<string>(r => r.OnResult<int>(x => Never(x)), b => b.AcceptedWarnings.Add("RES021")).Should().BeEmpty();
        FluentActions.Invoking(() => Found<string>(r => r.OnResult<int>(x => Never(x)), b => b.TreatWarningsAsErrors = true))
            .Should().Throw<ResiliencePipelineException>().WithMessage("*RES021*");
    }

    /// <summary>The finding is true: what it speaks of is not asked, and what it does not speak of is.</summary>
    [Fact]
    public async Task A_rule_that_is_found_is_never_asked()
    {
        (await AskedAsync<string, int>("a")).Should().Be((0, 1));
        (await AskedAsync<string, string>("a")).Should().Be((1, 0));
        (await AskedAsync<string, object>("a")).Should().Be((1, 0));
        (await AskedAsync<object, string>("a")).Should().Be((1, 0));
        (await AskedAsync<int?, int>(1)).Should().Be((1, 0));

        static async Task<(int Asked, int Found)> AskedAsync<TCall, TRule>(TCall result)
        {
            int asked = 0;
            ResiliencePipelineBuilder<TCall> builder = new();
            ResiliencePipeline<TCall> pipeline = builder.Classify(r => r.OnResult<TRule>(_ =>
            {
                asked++;
                return default(Verdict?);
            })).AddRetry().Build();
            await pipeline.ExecuteAsync(_ => Task.FromResult(result));
            return (asked, pipeline.Warnings.Count);
        }
    }
}

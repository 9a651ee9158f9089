using System.Reflection;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Resilience.Tests.Support;

/// <summary>xunit as it is, but that tests whose <see cref="RequiresAttribute">requirements</see> are missing end as skipped.</summary>
public sealed class RequirementsFramework(IMessageSink messageSink) : XunitTestFramework(messageSink)
{
    protected override ITestFrameworkExecutor CreateExecutor(AssemblyName assemblyName) =>
        new Executor(assemblyName, SourceInformationProvider, DiagnosticMessageSink);

    private sealed class Executor(AssemblyName name, ISourceInformationProvider source, IMessageSink diagnostics)
        : XunitTestFrameworkExecutor(name, source, diagnostics)
    {
        protected override void RunTestCases(
            IEnumerable<IXunitTestCase> testCases, IMessageSink executionMessageSink, ITestFrameworkExecutionOptions executionOptions) =>
            base.RunTestCases(testCases.Select(OrSkipped), executionMessageSink, executionOptions);

        private IXunitTestCase OrSkipped(IXunitTestCase testCase)
        {
            if (testCase.SkipReason is not null) return testCase;
            Type type = testCase.TestMethod.TestClass.Class.ToRuntimeType();
            string? reason = Requirements.ReasonToSkip(type, testCase.TestMethod.Method.ToRuntimeMethod());
            return reason is null ? testCase : new Skipped(DiagnosticMessageSink, testCase, reason);
        }
    }

    /// <summary>A test that is not executed. Public with a parameterless constructor only because xunit's analyzer wants it so.</summary>
    public sealed class Skipped : XunitTestCase
    {
        [Obsolete("For deserialization only")]
        public Skipped()
        {
        }

        internal Skipped(IMessageSink diagnostics, IXunitTestCase original, string reason)
            : base(diagnostics, TestMethodDisplay.ClassAndMethod, TestMethodDisplayOptions.None, original.TestMethod, original.TestMethodArguments)
        {
            SkipReason = reason;
            SourceInformation = original.SourceInformation;
        }

        protected override string GetSkipReason(IAttributeInfo factAttribute) => SkipReason;
    }
}

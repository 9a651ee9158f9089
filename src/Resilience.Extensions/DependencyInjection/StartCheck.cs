using Microsoft.Extensions.Options;

namespace Resilience;

/// <summary>Something that is registered and can say before it is used what is wrong with it.</summary>
internal interface IStartCheck
{
    /// <summary>Everything that is wrong with the registrations and their configuration.</summary>
    IEnumerable<string> FindProblems();
}

/// <summary>Stands in the options so that the host asks, at start, whether everything is in order. Never reloaded.</summary>
internal sealed class ResilienceStartCheck
{
    internal sealed class Validator(IEnumerable<IStartCheck> checks) : IValidateOptions<ResilienceStartCheck>
    {
        public ValidateOptionsResult Validate(string? name, ResilienceStartCheck options)
        {
            string[] problems = [.. checks.SelectMany(c => c.FindProblems())];
            return problems.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
        }
    }
}

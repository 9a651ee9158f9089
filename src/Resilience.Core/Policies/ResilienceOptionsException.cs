using Resilience.Extensibility;

namespace Resilience;

/// <summary>Options are out of range; the message and <see cref="Problems"/> name each option, its value and what is allowed.</summary>
public sealed class ResilienceOptionsException : ArgumentException
{
    /// <summary>Creates the exception from the problems found.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="problems"/> is null.</exception>
    public ResilienceOptionsException(IReadOnlyList<OptionProblem> problems)
        : base(MessageOf(problems)) => Problems = problems;

    /// <summary>All problems, in the order of the policies and their options.</summary>
    public IReadOnlyList<OptionProblem> Problems { get; }

    private static string MessageOf(IReadOnlyList<OptionProblem> problems)
    {
        ArgumentNullException.ThrowIfNull(problems);
        return problems.Count == 1
            ? $"An option is not valid. {problems[0]}."
            : $"{problems.Count} options are not valid:{string.Concat(problems.Select(p => $"{Environment.NewLine}  {p}"))}";
    }
}

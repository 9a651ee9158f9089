using System.Globalization;

namespace Resilience;

/// <summary>Base of the options of a policy. They are read once, when the pipeline is built.</summary>
public abstract class PolicyOptions
{
    /// <summary>The name of the policy in telemetry, rejections and descriptions. Default: the kind of policy, numbered if there are several.</summary>
    public string? Name { get; set; }

    /// <summary>What kind of policy this is, in lower case ("retry"); the default name.</summary>
    protected internal abstract string Kind { get; }

    /// <summary>Reports each option that is out of range.</summary>
    protected internal abstract void Check(OptionsCheck check);

    /// <summary>Everything that is wrong with these options; empty when nothing is.</summary>
    public IReadOnlyList<OptionProblem> FindProblems()
    {
        OptionsCheck check = new(string.IsNullOrEmpty(Name) ? Kind : Name);
        check.Require(Name is null || Name.Length > 0, nameof(Name), "empty", "null or not empty");
        Check(check);
        return check.Problems;
    }

    /// <summary>Throws if anything is wrong, with everything that is wrong in one message.</summary>
    /// <exception cref="ResilienceOptionsException">At least one option is out of range.</exception>
    public void ThrowIfInvalid()
    {
        IReadOnlyList<OptionProblem> problems = FindProblems();
        if (problems.Count > 0) throw new ResilienceOptionsException(problems);
    }
}

/// <summary>One option that is out of range.</summary>
/// <param name="Policy">The name of the policy.</param>
/// <param name="Option">The name of the option.</param>
/// <param name="Value">The value given, as text.</param>
/// <param name="Allowed">What is allowed, as text.</param>
public sealed record OptionProblem(string Policy, string Option, string Value, string Allowed)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Policy}: {Option} is {Value}, but must be {Allowed}";
}

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
            ? $"An option is out of range. {problems[0]}."
            : $"{problems.Count} options are out of range:{string.Concat(problems.Select(p => $"{Environment.NewLine}  {p}"))}";
    }
}

/// <summary>Collects what is wrong with the options of one policy.</summary>
public sealed class OptionsCheck
{
    /// <summary>The longest span that any option may have unless it says otherwise: a day.</summary>
    public static readonly TimeSpan MaxSpan = TimeSpan.FromDays(1);

    private readonly string _policy;
    private readonly List<OptionProblem> _problems = [];

    /// <summary>Starts a check in the name of a policy.</summary>
    public OptionsCheck(string policy) => _policy = policy;

    /// <summary>What was found so far.</summary>
    public IReadOnlyList<OptionProblem> Problems => _problems;

    /// <summary>Records a problem unless <paramref name="holds"/>.</summary>
    public void Require(bool holds, string option, object? value, string allowed)
    {
        if (!holds) _problems.Add(new(_policy, option, Show(value), allowed));
    }

    /// <summary>A span from <paramref name="min"/> to <paramref name="max"/> (default: a day), both included.</summary>
    public void Span(string option, TimeSpan value, TimeSpan min, TimeSpan? max = null)
    {
        TimeSpan limit = max ?? MaxSpan;
        if (value < min || value > limit) Require(false, option, value, $"from {Show(min)} to {Show(limit)}");
    }

    /// <summary>A whole number from <paramref name="min"/> to <paramref name="max"/>, both included.</summary>
    public void Number(string option, int value, int min, int max = int.MaxValue)
    {
        if (value >= min && value <= max) return;
        Require(false, option, value, max == int.MaxValue ? $"{Show(min)} or more" : $"from {Show(min)} to {Show(max)}");
    }

    /// <summary>A number from <paramref name="min"/> to <paramref name="max"/>, both included; NaN is never allowed.</summary>
    public void Number(string option, double value, double min, double max)
    {
        if (!(value >= min && value <= max)) Require(false, option, value, $"from {Show(min)} to {Show(max)}");
    }

    /// <summary>A value that is one of the enumeration's.</summary>
    public void Defined<TEnum>(string option, TEnum value)
        where TEnum : struct, Enum
    {
        if (!Enum.IsDefined(value)) Require(false, option, value, $"one of {string.Join(", ", Enum.GetNames<TEnum>())}");
    }

    private static string Show(object? value) => value switch
    {
        null => "null",
        TimeSpan span when span == TimeSpan.MaxValue => "TimeSpan.MaxValue",
        TimeSpan span when span == TimeSpan.MinValue => "TimeSpan.MinValue",
        TimeSpan span => span.ToString("c", CultureInfo.InvariantCulture),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}

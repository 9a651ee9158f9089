using System.Globalization;

namespace Resilience.Extensibility;

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

    /// <summary>The range of each option that is declared as a setting.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public void Declared(PolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        foreach (PolicySetting setting in options.Settings) setting.Check(options, this);
    }

    /// <summary>A span from <paramref name="min"/> to <paramref name="max"/> (default: a day), both included.</summary>
    public void Span(string option, TimeSpan value, TimeSpan min, TimeSpan? max = null)
    {
        TimeSpan limit = max ?? MaxSpan;
        if (min > limit && _problems.Count > 0) return; // the option that the bound comes from is wrong, and was reported
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
        TimeSpan span => TimeText.Of(span),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}

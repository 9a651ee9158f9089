using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Resilience.Events;

/// <summary>A sentence about an event together with its named values, written as an interpolated string: <c>$"call rejected; retry after {RetryAfter}"</c>.
/// The names are those of the expressions (with a capital), so that a structured log gets <c>RetryAfter</c> as a value and everyone else the
/// sentence.</summary>
/// <remarks>Not thread-safe while it is being made. An expression may be a name or end in one (<c>Rejection.Reason</c> is <c>Reason</c>).</remarks>
[InterpolatedStringHandler]
public sealed class EventMessage
{
    private readonly StringBuilder _template, _text;
    private readonly List<KeyValuePair<string, object?>> _values;

    /// <summary>Begins a message. Called by the compiler.</summary>
    /// <param name="literalLength">The characters of the text between the values.</param>
    /// <param name="formattedCount">The number of values.</param>
    public EventMessage(int literalLength, int formattedCount)
    {
        _template = new StringBuilder(literalLength + (12 * formattedCount));
        _text = new StringBuilder(literalLength + (12 * formattedCount));
        _values = new(formattedCount + 2);
    }

    /// <summary>The sentence with names in braces in the place of the values.</summary>
    public string Template => _template.ToString();

    /// <summary>The values by name, in the order of the sentence, and then those added by <see cref="With"/>.</summary>
    public IReadOnlyList<KeyValuePair<string, object?>> Values => _values;

    /// <summary>Adds text. Called by the compiler.</summary>
    public void AppendLiteral(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _template.Append(value.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal));
        _text.Append(value);
    }

    /// <summary>Adds a value. Called by the compiler.</summary>
    /// <param name="value">The value. Spans of time are written with their unit, numbers in the invariant culture, members of enums as words
    /// ("queue full"); a structured log gets the value itself.</param>
    /// <param name="name">The expression, of which the last name counts.</param>
    public void AppendFormatted<TValue>(TValue value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        string last = LastName(name);
        _template.Append('{').Append(last).Append('}');
        _values.Add(new(last, value));
        _text.Append(value switch
        {
            TimeSpan span => TimeText.Of(span),
            Enum named => WordsOf(named.ToString()),
            IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
            null => "none",
            Exception error => Safely.TextOf(error),
            _ => Safely.Ask("event message", static v => v.ToString(), (object)value, null) ?? "",
        });
    }

    /// <summary>Adds a value that a structured log gets beside the sentence.</summary>
    /// <returns>This message.</returns>
    public EventMessage With(string name, object? value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        _values.Add(new(name, value));
        return this;
    }

    /// <summary>The sentence.</summary>
    public override string ToString() => _text.ToString();

    private static string LastName(string? expression)
    {
        ReadOnlySpan<char> text = expression.AsSpan().Trim();
        int end = text.Length;
        while (end > 0 && !IsOfName(text[end - 1])) end--;
        int start = end;
        while (start > 0 && IsOfName(text[start - 1])) start--;
        return start == end ? "Value" : char.ToUpperInvariant(text[start]) + text[(start + 1)..end].ToString();
    }

    /// <summary>"QueueFull" as "queue full".</summary>
    private static string WordsOf(string name)
    {
        StringBuilder words = new(name.Length + 4);
        for (int i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsUpper(name[i]) && char.IsLower(name[i - 1])) words.Append(' ');
            words.Append(char.ToLowerInvariant(name[i]));
        }

        return words.ToString();
    }

    private static bool IsOfName(char character) => char.IsLetterOrDigit(character) || character == '_';
}

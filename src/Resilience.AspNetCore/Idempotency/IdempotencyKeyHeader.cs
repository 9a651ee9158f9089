using System.Buffers;
using System.Text;

namespace Resilience.Idempotency;

/// <summary>Reads the value of an <c>Idempotency-Key</c> header.</summary>
/// <remarks>The draft (draft-ietf-httpapi-idempotency-key-header) asks for a structured-field string (RFC 9651, section 3.3.3); most published
/// interfaces send the key bare. Both forms of one key are the same key. Parameters behind it must be well-formed and mean nothing.</remarks>
public static class IdempotencyKeyHeader
{
    /// <summary>The longest header value that is looked at, in characters.</summary>
    public const int MaxValue = 1024;

    private static readonly SearchValues<char> Base64Digits = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

    /// <summary>Reads one header value. Anything may be given to it: it never throws.</summary>
    /// <param name="value">The value of the header line.</param>
    /// <param name="acceptBare">Whether a key without quotes is one.</param>
    /// <param name="key">The key, with quotes and escapes taken off.</param>
    /// <param name="problem">What is wrong with it, as the end of a sentence that begins with "the key"; empty when it was read.</param>
    public static bool TryParse(string? value, bool acceptBare, out string key, out string problem)
    {
        key = "";
        problem = "";
        ReadOnlySpan<char> text = value.AsSpan().Trim(' ');
        if (value is null) problem = "is missing";
        else if (value.Length > MaxValue) problem = $"is longer than {MaxValue} characters";
        else if (text.IsEmpty) problem = "is empty";
        else problem = text[0] == '"' ? ReadString(text, out key) : ReadBare(text, acceptBare, out key);
        if (problem.Length == 0) return true;
        key = "";
        return false;
    }

    /// <summary>The key as a structured-field string, as a client sends it.</summary>
    /// <exception cref="ArgumentException">It has characters that a structured field cannot carry.</exception>
    public static string Format(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        StringBuilder text = new StringBuilder(key.Length + 2).Append('"');
        foreach (char c in key)
        {
            if (c is < ' ' or > '~') throw new ArgumentException("Only visible ASCII and blanks can be sent.", nameof(key));
            if (c is '"' or '\\') text.Append('\\');
            text.Append(c);
        }

        return text.Append('"').ToString();
    }

    private static string ReadString(ReadOnlySpan<char> text, out string key)
    {
        StringBuilder read = new(text.Length);
        key = "";
        for (int i = 1; i < text.Length; i++)
        {
            char c = text[i];
            if (c is < ' ' or > '~') return "has a character that is not allowed";
            if (c == '\\')
            {
                if (++i == text.Length || text[i] is not ('"' or '\\')) return "has a backslash that escapes neither a quote nor a backslash";
                read.Append(text[i]);
            }
            else if (c == '"')
            {
                key = read.ToString();
                return ReadParameters(text[(i + 1)..]) ? key.Length == 0 ? "is empty" : "" : "is followed by something that is no parameter";
            }
            else
            {
                read.Append(c);
            }
        }

        return "begins with a quote that is never closed";
    }

    private static string ReadBare(ReadOnlySpan<char> text, bool acceptBare, out string key)
    {
        key = "";
        if (!acceptBare) return "is not in quotes";
        foreach (char c in text)
        {
            if (c is <= ' ' or > '~' or '"' or '\\' or ',' or ';') return "has a character that is not allowed without quotes";
        }

        key = text.ToString();
        return "";
    }

    /// <summary>RFC 9651, section 3.1.2: <c>*( ";" *SP key [ "=" bare-item ] )</c>.</summary>
    private static bool ReadParameters(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            if (text[0] != ';') return false;
            text = text[1..].TrimStart(' ');
            int length = 0;
            while (length < text.Length && (char.IsAsciiLetterLower(text[length]) || text[length] == '*' || (length > 0 && IsInKey(text[length])))) length++;
            if (length == 0) return false;
            text = text[length..];
            if (!text.IsEmpty && text[0] == '=' && !ReadItem(ref text)) return false;
        }

        return true;

        static bool IsInKey(char c) => char.IsAsciiDigit(c) || c is '_' or '-' or '.';
    }

    /// <summary>RFC 9651, section 3.3: one bare item, of whichever of the seven kinds, and nothing that only looks like one.</summary>
    private static bool ReadItem(ref ReadOnlySpan<char> text)
    {
        text = text[1..];
        int length = text.IsEmpty ? 0 : text[0] switch
        {
            '"' => LengthOfString(text),
            '-' or (>= '0' and <= '9') => LengthOfNumber(text, mayBeDecimal: true),
            '@' => text.Length > 1 && LengthOfNumber(text[1..], mayBeDecimal: false) is > 0 and int date ? date + 1 : 0,
            '?' => text.Length > 1 && text[1] is '0' or '1' ? 2 : 0,
            ':' => LengthOfBytes(text),
            '%' => LengthOfDisplayString(text),
            '*' or (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') => LengthOfToken(text),
            _ => 0,
        };
        text = text[length..];
        return length > 0;
    }

    private static int LengthOfString(ReadOnlySpan<char> text)
    {
        for (int i = 1; i < text.Length; i++)
        {
            if (text[i] == '"') return i + 1;
            if (text[i] == '\\' && (++i == text.Length || text[i] is not ('"' or '\\'))) return 0;
            if (text[i] is < ' ' or > '~') return 0;
        }

        return 0;
    }

    /// <summary>At most 15 digits; a decimal has 1 to 12 before its point, and 1 to 3 behind it.</summary>
    private static int LengthOfNumber(ReadOnlySpan<char> text, bool mayBeDecimal)
    {
        int sign = text.StartsWith("-") ? 1 : 0, whole = Digits(text[sign..]), end = sign + whole;
        if (whole is 0 or > 15) return 0;
        if (!mayBeDecimal || end == text.Length || text[end] != '.') return end;
        int fraction = Digits(text[(end + 1)..]);
        return whole <= 12 && fraction is >= 1 and <= 3 ? end + 1 + fraction : 0;
    }

    private static int Digits(ReadOnlySpan<char> text) => text.IndexOfAnyExceptInRange('0', '9') is >= 0 and int end ? end : text.Length;

    private static int LengthOfToken(ReadOnlySpan<char> text)
    {
        int length = 1;
        while (length < text.Length && (char.IsAsciiLetterOrDigit(text[length]) || "!#$%&'*+-.^_`|~:/".Contains(text[length]))) length++;
        return length;
    }

    /// <summary>Base64 in which padding may be missing and spare bits may be set: RFC 9651, section 4.2.7, asks parsers to accept both.</summary>
    private static int LengthOfBytes(ReadOnlySpan<char> text)
    {
        int length = text[1..].IndexOf(':');
        if (length < 0) return 0;
        ReadOnlySpan<char> digits = text.Slice(1, length).TrimEnd('=');
        int padding = length - digits.Length;
        bool isPadded = padding == 0 || (padding <= 2 && length % 4 == 0);
        return isPadded && digits.Length % 4 != 1 && !digits.ContainsAnyExcept(Base64Digits) ? length + 2 : 0;
    }

    /// <summary>Its escapes, lower-case hexadecimal, are UTF-8.</summary>
    private static int LengthOfDisplayString(ReadOnlySpan<char> text)
    {
        if (text.Length < 3 || text[1] != '"') return 0;
        List<byte> bytes = [];
        for (int i = 2; i < text.Length; i++)
        {
            if (text[i] == '"') return System.Text.Unicode.Utf8.IsValid(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes)) ? i + 1 : 0;
            if (text[i] is < ' ' or > '~') return 0;
            if (text[i] != '%')
            {
                bytes.Add((byte)text[i]);
                continue;
            }

            if (i + 2 >= text.Length || !char.IsAsciiHexDigitLower(text[i + 1]) || !char.IsAsciiHexDigitLower(text[i + 2])) return 0;
            bytes.Add(Convert.ToByte(text.Slice(i + 1, 2).ToString(), 16));
            i += 2;
        }

        return 0;
    }
}

using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;

namespace Resilience;

/// <summary>The page: one text made of the files beside this one, and the policy by which a browser runs exactly that and nothing else.</summary>
internal sealed class DashboardPage
{
    private static readonly string Style = Read("page.css");
    private static readonly string Script = string.Join('\n', Read("words.js"), Read("charts.js"), Read("cards.js"), Read("page.js"));

    private readonly byte[] _text;

    /// <param name="title">What stands at the top; any text.</param>
    /// <param name="token">What a page must send along that wants something done.</param>
    /// <param name="showsActions">Whether actions are possible at all.</param>
    /// <param name="traceUrl">Where a trace can be seen, or null.</param>
    internal DashboardPage(string title, string token, bool showsActions, string? traceUrl)
    {
        string script = $"\n{Script}", style = $"\n{Style}";
        string page = Read("page.html")
            .Replace("{{style}}", style, StringComparison.Ordinal)
            .Replace("{{script}}", script, StringComparison.Ordinal)
            .Replace("{{token}}", showsActions ? token : "", StringComparison.Ordinal)
            .Replace("{{trace}}", HtmlEncoder.Default.Encode(traceUrl ?? ""), StringComparison.Ordinal)
            .Replace("{{title}}", HtmlEncoder.Default.Encode(title), StringComparison.Ordinal); // last: its text is not ours
        _text = Encoding.UTF8.GetBytes(page);
        ContentSecurityPolicy = string.Join(
            "; ",
            "default-src 'none'",
            $"script-src '{Hash(script)}'",
            $"style-src '{Hash(style)}'",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'");
    }

    internal ReadOnlyMemory<byte> Text => _text;

    internal string ContentSecurityPolicy { get; }

    private static string Hash(string text) => $"sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}";

    /// <summary>Line ends as browsers see them when they hash.</summary>
    private static string Read(string file)
    {
        Assembly here = typeof(DashboardPage).Assembly;
        using Stream stream = here.GetManifestResourceStream($"Resilience.Dashboard.{file}")
            ?? throw new InvalidOperationException($"The resource '{file}' is missing.");
        using StreamReader reader = new(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}

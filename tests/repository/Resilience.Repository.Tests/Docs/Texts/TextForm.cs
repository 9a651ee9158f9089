using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Docs.Texts;

/// <summary>A text as a person reads it: what is filled in stands as <c>{its name}</c>, what depends on something as <c>(this ¦ or that)</c>, what may be left
/// out as <c>[this]</c>. A text that is one of several is each of them.</summary>
internal sealed partial class TextForm(SemanticModel model)
{
    /// <summary>What makes a text of its arguments: the last one is the text.</summary>
    private static readonly string[] Makers = ["Create", "Text", "Invariant"];

    /// <summary>What a call only passes on: <c>x.ToString()</c> reads as <c>x</c>.</summary>
    private static readonly string[] Forms = ["ToString", "ConfigureAwait", "Trim", "Value", "ToHex", "GetValueOrDefault", "ToArray", "Order"];

    internal static bool IsMaker(InvocationExpressionSyntax call) => Makers.Contains(NameOf(call.Expression));

    /// <summary>The texts that an expression can be.</summary>
    internal IEnumerable<string> All(ExpressionSyntax expression) => expression switch
    {
        ParenthesizedExpressionSyntax inner => All(inner.Expression),
        ConditionalExpressionSyntax either => All(either.WhenTrue).Concat(All(either.WhenFalse)),
        SwitchExpressionSyntax choice => choice.Arms.SelectMany(a => All(a.Expression)),
        BinaryExpressionSyntax other when other.IsKind(SyntaxKind.CoalesceExpression) => All(other.Right),
        _ => Of(expression) is { } text ? [text] : [],
    };

    /// <summary>The text of an expression that is made of literals; null for any other.</summary>
    private string? Of(ExpressionSyntax expression)
    {
        if (model.GetConstantValue(expression) is { HasValue: true, Value: string constant }) return constant;
        switch (expression)
        {
            case InterpolatedStringExpressionSyntax interpolated: return Contents(interpolated);
            case ParenthesizedExpressionSyntax inner: return Of(inner.Expression);
            case InvocationExpressionSyntax made when IsMaker(made) && made.ArgumentList.Arguments.Count > 0:
                return Of(made.ArgumentList.Arguments[^1].Expression);
            case BinaryExpressionSyntax sum when sum.IsKind(SyntaxKind.AddExpression) && (Of(sum.Left) ?? Of(sum.Right)) is not null:
                return (Of(sum.Left) ?? Placeholder(sum.Left)) + (Of(sum.Right) ?? Placeholder(sum.Right));
            case ConditionalExpressionSyntax either when (Of(either.WhenTrue) ?? Of(either.WhenFalse)) is not null:
                return Either([either.WhenTrue, either.WhenFalse]);
            case SwitchExpressionSyntax choice when choice.Arms.Any(a => Of(a.Expression) is not null):
                return Either([.. choice.Arms.Select(a => a.Expression)]);
            case BinaryExpressionSyntax other when other.IsKind(SyntaxKind.CoalesceExpression) && Of(other.Right) is not null:
                return Either([other.Left, other.Right]);
            default: return null;
        }
    }

    private string Either(ExpressionSyntax[] parts)
    {
        string[] texts = [.. parts.Select(p => Of(p) ?? Placeholder(p)).Distinct()];
        string[] present = [.. texts.Where(t => t.Length > 0)];
        string both = string.Join(" ¦ ", present);
        return present.Length < texts.Length ? $"[{both}]" : present.Length == 1 ? both : $"({both})";
    }

    private string Contents(InterpolatedStringExpressionSyntax interpolated)
    {
        StringBuilder text = new();
        foreach (InterpolatedStringContentSyntax part in interpolated.Contents)
        {
            if (part is InterpolatedStringTextSyntax plain) text.Append(Unescaped(plain.TextToken.ValueText));
            else if (part is InterpolationSyntax hole) text.Append(Of(hole.Expression) ?? Placeholder(hole.Expression));
        }

        return text.ToString();
    }

    private static string Unescaped(string text) => text.Replace("{{", "{", StringComparison.Ordinal).Replace("}}", "}", StringComparison.Ordinal);

    private string Placeholder(ExpressionSyntax expression) =>
        model.GetConstantValue(expression) is { HasValue: true, Value: { } constant } && constant is not Enum
            ? Convert.ToString(constant, CultureInfo.InvariantCulture)!
            : $"{{{Words(Name(expression))}}}";

    /// <summary>What is filled in, by the last name that says it.</summary>
    private static string Name(ExpressionSyntax expression) => expression switch
    {
        IdentifierNameSyntax or GenericNameSyntax => ((SimpleNameSyntax)expression).Identifier.Text,
        MemberAccessExpressionSyntax { Name.Identifier.Text: "Length" or "Count" } counted => $"number of {Name(counted.Expression)}",
        MemberAccessExpressionSyntax { Name.Identifier.Text: "Name" or "FullName" or "Value" or "Message" } part => Name(part.Expression),
        MemberAccessExpressionSyntax member => member.Name.Identifier.Text,
        ConditionalAccessExpressionSyntax maybe => Name(maybe.WhenNotNull) is { Length: > 0 } name ? name : Name(maybe.Expression),
        MemberBindingExpressionSyntax bound => bound.Name.Identifier.Text,
        InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax called } call when Forms.Contains(called.Name.Identifier.Text)
            || called.Name.Identifier.Text == "GetType" => Name(called.Expression) + (called.Name.Identifier.Text == "GetType" ? " type" : ""),
        InvocationExpressionSyntax call when call.ArgumentList.Arguments.Count > 0 => Name(call.ArgumentList.Arguments[^1].Expression) is { Length: > 1 } name
            ? name
            : NameOf(call.Expression),
        InvocationExpressionSyntax call => NameOf(call.Expression),
        TypeOfExpressionSyntax type => $"type {type.Type}",
        ParenthesizedExpressionSyntax inner => Name(inner.Expression),
        CastExpressionSyntax cast => Name(cast.Expression),
        PostfixUnaryExpressionSyntax unary => Name(unary.Operand),
        PrefixUnaryExpressionSyntax unary => Name(unary.Operand),
        AwaitExpressionSyntax awaited => Name(awaited.Expression),
        BinaryExpressionSyntax both => Name(both.Left),
        ElementAccessExpressionSyntax element => Name(element.Expression),
        ConditionalExpressionSyntax either => Name(either.WhenTrue),
        SimpleLambdaExpressionSyntax or ParenthesizedLambdaExpressionSyntax => "",
        ThisExpressionSyntax => "this",
        LiteralExpressionSyntax => "",
        CollectionExpressionSyntax => "",
        SwitchExpressionSyntax choice => Name(choice.GoverningExpression),
        _ => "value",
    };

    private static string NameOf(ExpressionSyntax called) => called switch
    {
        MemberAccessExpressionSyntax member => member.Name.Identifier.Text,
        SimpleNameSyntax name => name.Identifier.Text,
        MemberBindingExpressionSyntax bound => bound.Name.Identifier.Text,
        _ => "",
    };

    private static string Words(string name) =>
        Between().Replace(name.TrimStart('_'), " ").ToLowerInvariant() is { Length: > 0 } words ? words : "value";

    [GeneratedRegex(@"(?<=[a-z0-9])(?=[A-Z])")]
    private static partial Regex Between();
}

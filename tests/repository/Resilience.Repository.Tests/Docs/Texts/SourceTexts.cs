using System.Text;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Docs.Texts;

/// <summary>A text that a package can show.</summary>
/// <param name="Package">The package.</param>
/// <param name="File">The file of the type that has it.</param>
/// <param name="Kind">What becomes of it, where that is seen: <c>exception</c>, <c>option</c>, <c>finding</c>, <c>problem</c>, <c>diagnostic</c>,
/// <c>health</c>, <c>metric</c> and others; empty for a part of another text, and for all else.</param>
/// <param name="Text">As a person reads it.</param>
internal sealed record SourceText(string Package, string File, string Kind, string Text);

/// <summary>Every text in the source of the packages: each string with a blank in it that a user can read. It asks the compiler what becomes of it, so the
/// way it is written does not matter: <c>new X(…)</c>, a <c>new(…)</c> whose type is said elsewhere, the second argument or the fifth, an arm of a switch, a
/// constant, a helper that gives the text back.</summary>
internal static partial class SourceTexts
{
    private const string Usings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http;
        global using System.Threading; global using System.Threading.Tasks;
        """;

    internal static CSharpCompilation Compile(IEnumerable<(string File, string Text)> sources, IEnumerable<MetadataReference> references) =>
        CSharpCompilation.Create(
            "Texts", sources.Append(("Usings.cs", Usings)).Select(s => CSharpSyntaxTree.ParseText(s.Item2, path: s.Item1)), references,
            new(OutputKind.DynamicallyLinkedLibrary));

    internal static IReadOnlyList<SourceText> Of(string package, CSharpCompilation compilation)
    {
        ThrownTexts thrown = new(compilation);
        List<SourceText> found = [];
        foreach (SyntaxTree tree in compilation.SyntaxTrees)
        {
            SemanticModel model = compilation.GetSemanticModel(tree);
            TextForm form = new(model);
            HashSet<ExpressionSyntax> roots = [];
            foreach (ExpressionSyntax literal in tree.GetRoot().DescendantNodes().OfType<ExpressionSyntax>().Where(IsText))
            {
                ExpressionSyntax root = Whole(literal);
                if (!roots.Add(root) || IsNoText(root) || IsReadElsewhere(root, model)) continue;
                string kind = KindOf(root, model, thrown);
                found.AddRange(form.All(root).Where(t => HasBlank(t.Trim()) && !IsCode(package, t.Trim()))
                    .Select(t => new SourceText(package, Path.GetFileNameWithoutExtension(tree.FilePath), kind, OneLine(t))));
            }
        }

        return found;
    }

    private static string OneLine(string text) => Blanks().Replace(text.Trim(), " ");

    [GeneratedRegex(@"\s*[\r\n]\s*")]
    private static partial Regex Blanks();

    private static bool IsText(ExpressionSyntax expression) => expression switch
    {
        LiteralExpressionSyntax literal => literal.IsKind(SyntaxKind.StringLiteralExpression) && HasBlank(literal.Token.ValueText),
        InterpolatedStringExpressionSyntax made => made.Contents.Any(c => c is InterpolatedStringTextSyntax text && HasBlank(text.TextToken.ValueText)),
        _ => false,
    };

    private static bool HasBlank(string text) => text.Contains(' ', StringComparison.Ordinal);

    /// <summary>The largest expression that this string is a part of and that is itself a text.</summary>
    private static ExpressionSyntax Whole(ExpressionSyntax text)
    {
        for (ExpressionSyntax whole = text; ;)
        {
            ExpressionSyntax? next = whole.Parent switch
            {
                ParenthesizedExpressionSyntax or CastExpressionSyntax => (ExpressionSyntax)whole.Parent,
                BinaryExpressionSyntax sum when sum.IsKind(SyntaxKind.AddExpression) || sum.IsKind(SyntaxKind.CoalesceExpression) => sum,
                ConditionalExpressionSyntax either when whole != either.Condition => either,
                SwitchExpressionArmSyntax { Parent: SwitchExpressionSyntax choice } arm when whole == arm.Expression => choice,
                InterpolationSyntax { Parent: InterpolatedStringExpressionSyntax outer } => outer,
                ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax made } last
                    when TextForm.IsMaker(made) && made.ArgumentList.Arguments[^1] == last => made,
                _ => Around(whole),
            };
            if (next is null) return whole;
            whole = next;
        }
    }

    /// <summary>A string in a call inside of another string, such as the separator of a list, belongs to that; one in a lambda is a text of its own.</summary>
    private static InterpolatedStringExpressionSyntax? Around(ExpressionSyntax part)
    {
        foreach (SyntaxNode node in part.Ancestors())
        {
            if (node is StatementSyntax or LambdaExpressionSyntax or MemberDeclarationSyntax) return null;
            if (node is InterpolationSyntax { Parent: InterpolatedStringExpressionSyntax outer }) return outer;
        }

        return null;
    }

    /// <summary>Not shown to a user of a package: what is compared with, looked for, or a name in the way of another system.</summary>
    private static bool IsNoText(ExpressionSyntax root)
    {
        for (SyntaxNode? node = root.Parent; node is not null and not StatementSyntax; node = node.Parent)
        {
            switch (node)
            {
                case AttributeSyntax attribute:
                    return attribute.Name.ToString() is not ("Obsolete" or "RequiresUnreferencedCode" or "RequiresDynamicCode");
                case ConstantPatternSyntax or CaseSwitchLabelSyntax: return true;
                case InvocationExpressionSyntax call when NameOf(call) is { } name:
                    return name is "Assert" or "StartsWith" or "EndsWith" or "Contains" or "IndexOf" or "Split" or "Join" or "Equals" or "GeneratedRegex";
                case MemberDeclarationSyntax: return false;
            }
        }

        return false;
    }

    /// <summary>What has a file of its own (lines of the log, settings, tables of transports), and what is for a debugger.</summary>
    private static bool IsReadElsewhere(ExpressionSyntax root, SemanticModel model)
    {
        if (MemberName(root) is "PrintMembers" or "GetGroup") return true;
        if (root.SyntaxTree.FilePath.Contains("/Outcomes/Tables/", StringComparison.Ordinal)) return true;
        if (IsMessage(root, model)) return true;
        if (root.Parent is not ArgumentSyntax { Parent: BaseArgumentListSyntax { Parent: { } call } list } argument) return false;
        if (model.GetSymbolInfo(call).Symbol is not IMethodSymbol method) return false;
        int place = list.Arguments.IndexOf(argument);
        string parameter = argument.NameColon?.Name.Identifier.Text ?? method.Parameters.ElementAtOrDefault(place)?.Name ?? "";
        return parameter == "callback"
            || (parameter is "text" or "itemText" && method.ContainingType.Name is "PolicySettings" or "PolicySetting" or "ConfigurablePolicy");
    }

    /// <summary>The sentence of an event, which is written by a handler of its own.</summary>
    internal static bool IsMessage(ExpressionSyntax text, SemanticModel model) =>
        (text is CastExpressionSyntax || text.Parent is not CastExpressionSyntax ? model.GetTypeInfo(text).ConvertedType
            : model.GetTypeInfo(text.Parent).Type)?.Name == "EventMessage"
        || (text is CastExpressionSyntax cast && model.GetTypeInfo(cast).Type?.Name == "EventMessage");

    private static string NameOf(InvocationExpressionSyntax call) => call.Expression switch
    {
        MemberAccessExpressionSyntax member => member.Name.Identifier.Text,
        SimpleNameSyntax name => name.Identifier.Text,
        _ => "",
    };

    /// <summary>Statements of databases, and what a tool writes into programs.</summary>
    private static bool IsCode(string package, string text) =>
        Code().IsMatch(text) || (package is "Resilience.Migration.Analyzers" or "Resilience.CodeFixes" && Program().IsMatch(text));

    [GeneratedRegex(
        @"§|\$[A-Z]|=>|==|is >=|^[.,(]|^\{ |^\{?[\w ]+\}? =( |$)|;$| \? |\bnew [A-Z]|^new\b"
        + @"|^([\w ]*\{[^}]*\})+[\w.]*(\(|$)|^\{[^}]*\}\.|^error is |^\w+, \w+$|^Equals|^using ")]
    private static partial Regex Program();

    [GeneratedRegex(
        @"^\s*(--|SELECT |INSERT |UPDATE |DELETE |CREATE |ALTER |DROP |PRAGMA |BEGIN |WITH |SET |AND |WHERE |ON CONFLICT|RETURNING|VALUES|DO \$"
        + @"|local |redis\.|\(SELECT|\(date_part|floor\(|c\.now)")]
    private static partial Regex Code();

    private static string KindOf(ExpressionSyntax root, SemanticModel model, ThrownTexts thrown)
    {
        if (thrown.IsThrown(root)) return "exception";
        if (root.Parent is not ArgumentSyntax { Parent: BaseArgumentListSyntax { Parent: { } call } list } argument)
            return MemberName(root) switch { "Reason" => "rejection", "GetSummary" => "live page", _ => "" };
        if (argument.NameColon?.Name.Identifier.Text == "allowed") return "option";
        if (model.GetSymbolInfo(call).Symbol is not IMethodSymbol method) return "";
        int place = list.Arguments.IndexOf(argument);
        string parameter = place < method.Parameters.Length ? method.Parameters[place].Name : "";
        return (method.MethodKind == MethodKind.Constructor ? method.ContainingType.Name : method.Name, parameter) switch
        {
            (_, "allowed") => "option",
            ("Warn" or "Contradict" or "OrderWarning" or "PipelineWarning", _) => "finding",
            ("Rule" or "DiagnosticDescriptor", _) => "diagnostic",
            (_, "description") => "metric",
            ("HealthCheckResult", _) => "health",
            ("PolicyStatus", _) => "status",
            ("Problem" or "WriteAsync", "title" or "detail") => "problem",
            _ => "",
        };
    }

    private static string MemberName(ExpressionSyntax root) =>
        root.Ancestors().FirstOrDefault(a => a is MethodDeclarationSyntax or PropertyDeclarationSyntax) switch
        {
            MethodDeclarationSyntax method => method.Identifier.Text,
            PropertyDeclarationSyntax property => property.Identifier.Text,
            _ => "",
        };
}

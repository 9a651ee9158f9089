using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <content>Retries: how often, after what waits, and who is told.</content>
internal sealed partial class OldMove
{
    private const string Listed = "the waits come from elsewhere: give them as RetryAfter, or as BaseDelay with a BackoffKind";

    private const string Swallowed = "decide what to do with this callback: ours is told the attempt and the wait, and what it throws does not end the call";

    private string? Retry(InvocationExpressionSyntax node, IMethodSymbol method, Dictionary<string, ExpressionSyntax> given)
    {
        List<string> members = [];
        string attempt = Unused("attempt", "failedAttempt", node), delay = Unused("delay", "wait", node), name = NameOf(method);
        bool isWaiting = name.StartsWith("WaitAnd", StringComparison.Ordinal);
        if (name.EndsWith("Forever", StringComparison.Ordinal)) members.Add("MaxRetries = §RetryOptions.Unlimited");
        else if (!given.ContainsKey("sleepDurations"))
            members.Add("MaxRetries = " + (given.TryGetValue("retryCount", out ExpressionSyntax? count) ? Text(count) : "1"));
        string? waits = !isWaiting ? "BaseDelay = $TimeSpan.Zero"
            : given.TryGetValue("sleepDurations", out ExpressionSyntax? all) ? _waits.Listed(all, attempt)
            : given.TryGetValue("sleepDurationProvider", out ExpressionSyntax? computed) ? _waits.Computed(computed, attempt) : null;
        if (waits is null) return Unknown(Listed);
        members.Add(waits);
        ExpressionSyntax? told = given.TryGetValue("onRetry", out ExpressionSyntax? onRetry) ? onRetry
            : given.TryGetValue("onRetryAsync", out ExpressionSyntax? onRetryAsync) ? onRetryAsync : null;
        if (told is not null)
        {
            if (OnRetry(told, attempt, delay, isWaiting, node) is not { } callback)
            {
                if (OldWaits.WaitOf(waits, attempt) is { } each
                    && _delegates.Stopping(told, Told(attempt, delay, isWaiting), attempt, delay, each) is { } stopping)
                {
                    members[members.Count - 1] = $"BaseDelay = $TimeSpan.Zero, RetryAfter = {stopping}, MaxRetryAfter = $TimeSpan.FromDays(1)";
                    callback = "";
                }
                else
                {
                    return Unknown(Swallowed);
                }
            }

            if (callback.Length > 0) members.Add(callback);
        }

        if (HandledBy(node)?.Where(static h => h.IsRejection).ToArray() is { Length: > 0 } rejections)
        {
            if (!waits.Contains("RetryAfter = ") && !waits.StartsWith("BaseDelay = ", StringComparison.Ordinal)) return Unknown(Listed);
            if (rejections.Any(static r => !r.Text.Contains("CircuitOpenException")))
                return Unknown("what has no place is not repeated here: let it wait for one, by MaxWait of the limit");
            members.Add("WaitForRejections = true");
            if (!waits.Contains("RetryAfter = ")) members.Add(OldWaits.Asked("_", waits.Substring("BaseDelay = ".Length)));
        }

        if (Narrowed(node, attempt) is { } narrowed) members.Add("ShouldRetry = " + narrowed);
        if (!waits.Contains("BackoffKind = ")) members.Add("BackoffKind = §BackoffKind.Constant, Jitter = §BackoffJitter.None");
        members.Add("Budget = §RetryBudget.Unlimited");
        return $".AddRetry(new §RetryOptions {{ {string.Join(", ", members)} }})";
    }

    /// <summary>A schedule in a variable that serves retries alone: they have it themselves, so it goes.</summary>
    internal bool IsScheduleOfRetries(LocalDeclarationStatementSyntax declaration)
    {
        if (declaration.Declaration.Variables.Count != 1) return false;
        VariableDeclaratorSyntax variable = declaration.Declaration.Variables[0];
        if (variable.Initializer?.Value is not InvocationExpressionSyntax call) return false;
        if (SymbolOf(call) is not IMethodSymbol { ContainingType.Name: "Backoff" } method || !Theirs.Own(method)) return false;
        ISymbol? local = Scope.Model.GetDeclaredSymbol(variable, Scope.Cancellation);
        return declaration.FirstAncestorOrSelf<MemberDeclarationSyntax>()?.DescendantNodes().OfType<IdentifierNameSyntax>()
            .Where(n => n.Identifier.ValueText == variable.Identifier.ValueText && SymbolEqualityComparer.Default.Equals(SymbolOf(n), local))
            .All(n => n.Parent is ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax retry } && Theirs.Own(SymbolOf(retry))) == true;
    }

    private static Func<IParameterSymbol, string?> Told(string attempt, string delay, bool isWaiting) => parameter => parameter.Type.Name switch
    {
        "Exception" => attempt + ".Exception!",
        "TimeSpan" when isWaiting => delay,
        "Int32" => $"({attempt}.Number + 1)",
        _ => null,
    };

    /// <summary>What is told by type: the failure, the wait, the number of the retry, which begins with 1 there. Empty: it does nothing.</summary>
    private string? OnRetry(ExpressionSyntax told, string attempt, string delay, bool isWaiting, SyntaxNode at)
    {
        Func<IParameterSymbol, string?> ours = Told(attempt, delay, isWaiting);
        if (told is LambdaExpressionSyntax { ExpressionBody: { } nothing } && OptionsMove.IsDone(nothing)) return "";
        if (_delegates.StatementOf(told, ours, attempt) is { } statement) return $"OnRetry = ({attempt}, {delay}) => {statement}";
        if (_delegates.Given(told, ours, attempt) is not { } given) return null;
        string head = $"({attempt}, {delay}, {Unused("token", "cancellation", at)}) => ";
        return given.IsAsync ? $"OnRetryAsync = async {head}{given.Text}"
            : given.IsExpression ? $"OnRetryAsync = {head}new System.Threading.Tasks.ValueTask({given.Text})" : null;
    }
}

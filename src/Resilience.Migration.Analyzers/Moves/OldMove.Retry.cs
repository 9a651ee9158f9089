using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <content>Retries: how often, after what waits, and who is told.</content>
internal sealed partial class OldMove
{
    private const string Listed = "the waits come from elsewhere: give them as RetryAfter, or as BaseDelay with a BackoffKind";

    private string? Retry(InvocationExpressionSyntax node, IMethodSymbol method, Dictionary<string, ExpressionSyntax> given)
    {
        List<string> members = [];
        string attempt = Unused("attempt", "failedAttempt", node), delay = Unused("delay", "wait", node), name = NameOf(method);
        bool isWaiting = name.StartsWith("WaitAnd", StringComparison.Ordinal);
        if (name.EndsWith("Forever", StringComparison.Ordinal)) members.Add("MaxRetries = §RetryOptions.Unlimited");
        else if (!given.ContainsKey("sleepDurations"))
            members.Add("MaxRetries = " + (given.TryGetValue("retryCount", out ExpressionSyntax? count) ? Text(count) : "1"));
        string? waits = !isWaiting ? "BaseDelay = $TimeSpan.Zero"
            : given.TryGetValue("sleepDurations", out ExpressionSyntax? all) ? Waits(all, attempt)
            : given.TryGetValue("sleepDurationProvider", out ExpressionSyntax? computed) ? Wait(computed, attempt) : null;
        if (waits is null) return Unknown(Listed);
        members.Add(waits);
        ExpressionSyntax? told = given.TryGetValue("onRetry", out ExpressionSyntax? onRetry) ? onRetry
            : given.TryGetValue("onRetryAsync", out ExpressionSyntax? onRetryAsync) ? onRetryAsync : null;
        if (told is not null)
        {
            if (OnRetry(told, attempt, delay, isWaiting, node) is not { } callback)
                return Unknown("decide what to do with this callback: ours is told the attempt and the wait, and what it throws does not end the call");
            if (callback.Length > 0) members.Add(callback);
        }

        if (HandledBy(node)?.Where(static h => h.IsRejection).ToArray() is { Length: > 0 } rejections)
        {
            if (!waits.Contains("RetryAfter = ") && !waits.StartsWith("BaseDelay = ", StringComparison.Ordinal)) return Unknown(Listed);
            if (rejections.Any(static r => !r.Text.Contains("CircuitOpenException")))
                return Unknown("what has no place is not repeated here: let it wait for one, by MaxWait of the limit");
            members.Add("WaitForRejections = true");
            if (!waits.Contains("RetryAfter = ")) members.Add(Asked("_", waits.Substring("BaseDelay = ".Length)));
        }

        if (Narrowed(node, attempt) is { } narrowed) members.Add("ShouldRetry = " + narrowed);
        if (!waits.Contains("BackoffKind = ")) members.Add("BackoffKind = §BackoffKind.Constant, Jitter = §BackoffJitter.None");
        members.Add("Budget = §RetryBudget.Unlimited");
        return $".AddRetry(new §RetryOptions {{ {string.Join(", ", members)} }})";
    }

    /// <summary>Waits that are listed, by a list, an array, or a schedule of Polly's contributors.</summary>
    private string? Waits(ExpressionSyntax waits, string attempt)
    {
        IEnumerable<ExpressionSyntax>? all = waits switch
        {
            ArrayCreationExpressionSyntax { Initializer: { } i } => i.Expressions,
            ImplicitArrayCreationExpressionSyntax { Initializer: { } i } => i.Expressions,
            CollectionExpressionSyntax list when list.Elements.All(static e => e is ExpressionElementSyntax) =>
                list.Elements.Cast<ExpressionElementSyntax>().Select(static e => e.Expression),
            _ => null,
        };
        if (all is not null) return Each([.. all], attempt);
        if (Scope.Makers.Of(waits) is { Count: 1 } made && AreInOneType(made[0], waits)) return Schedule(made[0], attempt);
        return SymbolOf(waits) is (ILocalSymbol or IFieldSymbol or IParameterSymbol) and not null && TypeOf(waits) is IArrayTypeSymbol
            ? $"MaxRetries = {Text(waits)}.Length, BaseDelay = $TimeSpan.Zero, " + Asked(attempt, $"{Text(waits)}[{attempt}.Number]")
            : null;
    }

    private string? Each(ExpressionSyntax[] each, string attempt)
    {
        if (each.Length == 0) return null;
        string arms = string.Join(", ", each.Take(each.Length - 1).Select((e, i) => $"{i} => {Text(e)}").Append("_ => " + Text(each[each.Length - 1])));
        return $"MaxRetries = {each.Length}, " + (each.Length == 1 ? "BaseDelay = " + Text(each[0])
            : "BaseDelay = $TimeSpan.Zero, " + Asked(attempt, $"{attempt}.Number switch {{ {arms} }}"));
    }

    private static string Asked(string attempt, string wait) => $"RetryAfter = {attempt} => {wait}, MaxRetryAfter = $TimeSpan.FromDays(1)";

    /// <summary>A schedule of Polly.Contrib.WaitAndRetry; with jitter, the waits are spread by ours.</summary>
    private string? Schedule(InvocationExpressionSyntax call, string attempt)
    {
        if (SymbolOf(call) is not IMethodSymbol { ContainingType.Name: "Backoff" } method) return null;
        Dictionary<string, ExpressionSyntax> given = ArgumentsOf(call, method);
        if (given.ContainsKey("seed") || !given.TryGetValue("retryCount", out ExpressionSyntax? count)) return null;
        if (given.TryGetValue("fastFirst", out ExpressionSyntax? first) && first.ToString() != "false")
            return first.ToString() == "true" && FastFirst(method, given, attempt) is { } wait
                ? $"MaxRetries = {Text(count)}, BaseDelay = $TimeSpan.Zero, {Asked(attempt, wait)}" : null;
        string? waits = method.Name switch
        {
            "ConstantBackoff" => $"BaseDelay = {Of("delay")}, BackoffKind = §BackoffKind.Constant, Jitter = §BackoffJitter.None",
            "LinearBackoff" when !given.ContainsKey("factor") =>
                $"BaseDelay = {Of("initialDelay")}, BackoffKind = §BackoffKind.Linear, Jitter = §BackoffJitter.None",
            "ExponentialBackoff" => $"BaseDelay = {Of("initialDelay")}, BackoffKind = §BackoffKind.Exponential, Jitter = §BackoffJitter.None"
                + (given.TryGetValue("factor", out ExpressionSyntax? factor) ? $", Factor = {Text(factor)}" : ""),
            "DecorrelatedJitterBackoffV2" => $"BaseDelay = {Of("medianFirstRetryDelay")}, BackoffKind = §BackoffKind.Decorrelated",
            "AwsDecorrelatedJitterBackoff" => $"BaseDelay = {Of("minDelay")}, BackoffKind = §BackoffKind.Decorrelated, MaxDelay = {Of("maxDelay")}",
            _ => null,
        };
        if (waits is null) return null;
        string most = method.Name is "ConstantBackoff" or "AwsDecorrelatedJitterBackoff" ? "" : ", MaxDelay = $TimeSpan.FromDays(1)";
        return $"MaxRetries = {Text(count)}, {waits}{most}";

        string Of(string parameter) => Text(given[parameter]);
    }

    /// <summary>The first retry at once, the others as the schedule begins.</summary>
    private string? FastFirst(IMethodSymbol method, Dictionary<string, ExpressionSyntax> given, string attempt)
    {
        string growth = given.TryGetValue("factor", out ExpressionSyntax? factor) ? Text(factor) : "2";
        string? others = method.Name switch
        {
            "ConstantBackoff" => Text(given["delay"]),
            "ExponentialBackoff" => $"({Text(given["initialDelay"])}) * $Math.Pow({growth}, {attempt}.Number - 1)",
            _ => null,
        };
        return others is null ? null : $"{attempt}.Number == 0 ? $TimeSpan.Zero : {others}";
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

    private string? Wait(ExpressionSyntax waits, string attempt)
    {
        if (_delegates.Given(waits, p => p.Type.Name switch
        {
            "Int32" => $"({attempt}.Number + 1)",
            "Exception" => attempt + ".Exception!",
            _ => null,
        }, attempt) is not { IsAsync: false } wait) return null;
        bool isFixed = wait.IsExpression && System.Text.RegularExpressions.Regex.IsMatch(wait.Text, @"^TimeSpan\.(Zero|From\w+\([\d._]+\))$");
        return isFixed ? "BaseDelay = " + wait.Text : "BaseDelay = $TimeSpan.Zero, " + Asked(attempt, wait.Text);
    }

    /// <summary>What is told by type: the failure, the wait, the number of the retry, which begins with 1 there. Empty: it does nothing.</summary>
    private string? OnRetry(ExpressionSyntax told, string attempt, string delay, bool isWaiting, SyntaxNode at)
    {
        string? Ours(IParameterSymbol parameter) => parameter.Type.Name switch
        {
            "Exception" => attempt + ".Exception!",
            "TimeSpan" when isWaiting => delay,
            "Int32" => $"({attempt}.Number + 1)",
            _ => null,
        };

        if (told is LambdaExpressionSyntax { ExpressionBody: { } nothing } && OptionsMove.IsDone(nothing)) return "";
        if (_delegates.StatementOf(told, Ours, attempt) is { } statement) return $"OnRetry = ({attempt}, {delay}) => {statement}";
        if (_delegates.Given(told, Ours, attempt) is not { } given) return null;
        string head = $"({attempt}, {delay}, {Unused("token", "cancellation", at)}) => ";
        return given.IsAsync ? $"OnRetryAsync = async {head}{given.Text}"
            : given.IsExpression ? $"OnRetryAsync = {head}new System.Threading.Tasks.ValueTask({given.Text})" : null;
    }
}

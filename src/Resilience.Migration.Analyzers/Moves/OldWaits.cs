using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>The waits of retries of Polly v7: listed, by a schedule, or computed for each.</summary>
internal sealed class OldWaits(MoveScope scope, OldDelegates delegates) : Move(scope)
{
    /// <summary>Waits that are listed, by a list, an array, or a schedule of Polly's contributors.</summary>
    internal string? Listed(ExpressionSyntax waits, string attempt)
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

    internal static string Asked(string attempt, string wait) => $"RetryAfter = {attempt} => {wait}, MaxRetryAfter = $TimeSpan.FromDays(1)";

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

    internal string? Computed(ExpressionSyntax waits, string attempt)
    {
        if (delegates.Given(waits, p => p.Type.Name switch
        {
            "Int32" => $"({attempt}.Number + 1)",
            "Exception" => attempt + ".Exception!",
            _ => null,
        }, attempt) is not { IsAsync: false } wait) return null;
        bool isFixed = wait.IsExpression && System.Text.RegularExpressions.Regex.IsMatch(wait.Text, @"^TimeSpan\.(Zero|From\w+\([\d._]+\))$");
        return isFixed ? "BaseDelay = " + wait.Text : "BaseDelay = $TimeSpan.Zero, " + Asked(attempt, wait.Text);
    }

    /// <summary>The wait of one retry, where it is fixed or computed for each.</summary>
    internal static string? WaitOf(string waits, string attempt)
    {
        string computed = $"BaseDelay = $TimeSpan.Zero, RetryAfter = {attempt} => ", longest = ", MaxRetryAfter = $TimeSpan.FromDays(1)";
        if (waits.StartsWith(computed, StringComparison.Ordinal)) return waits.Substring(computed.Length, waits.Length - computed.Length - longest.Length);
        return waits.StartsWith("BaseDelay = ", StringComparison.Ordinal) && !waits.Contains(" = §") ? waits.Substring("BaseDelay = ".Length) : null;
    }
}

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Schedules of Polly.Contrib.WaitAndRetry that a loop of the program's own walks through: waits that <c>Backoff</c> draws.</summary>
internal sealed class ScheduleMove(MoveScope scope) : Move(scope)
{
    internal ExpressionSyntax? Waits(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        Dictionary<string, ExpressionSyntax> given = ArgumentsOf(node, method);
        string? backoff = method.Name switch
        {
            "ConstantBackoff" => $"Constant({Of("delay")}, §BackoffJitter.None)",
            "LinearBackoff" when !given.ContainsKey("factor") => $"Linear({Of("initialDelay")}, $TimeSpan.FromDays(1), §BackoffJitter.None)",
            "ExponentialBackoff" => $"Exponential({Of("initialDelay")}, $TimeSpan.FromDays(1), "
                + $"{(given.TryGetValue("factor", out ExpressionSyntax? factor) ? Text(factor) : "2")}, §BackoffJitter.None)",
            "DecorrelatedJitterBackoffV2" => $"Decorrelated({Of("medianFirstRetryDelay")}, $TimeSpan.FromDays(1))",
            "AwsDecorrelatedJitterBackoff" => $"Decorrelated({Of("minDelay")}, {Of("maxDelay")})",
            _ => null,
        };
        if (backoff is null || !given.TryGetValue("retryCount", out ExpressionSyntax? count))
            return Leave(MigrationRules.Policies, OptionNames.WhyNot(method));
        if (given.ContainsKey("seed"))
            return Leave(MigrationRules.Policies, "waits that are repeated come from Randomness.Seeded, given to Delays of a Backoff");
        string first = given.TryGetValue("fastFirst", out ExpressionSyntax? fast) ? ", isFirstAtOnce: " + Text(fast) : "";
        return Written($"§Backoff.{backoff}.Delays({Text(count)}{first})", node);

        string Of(string parameter) => Text(given[parameter]);
    }
}

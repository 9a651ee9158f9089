using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Architecture;

/// <summary>What a link of ours lets go on it awaits, hands up, or suspends on: a task that is not awaited is a call that never comes back.</summary>
public sealed class SuspendedLinkTests
{
    /// <summary>Methods that take care of a task that is given to them.</summary>
    private static readonly string[] Takers = ["Suspend", "SuspendHere", "Of", "ResultOf", "AwaitAsync", "AsTask"];

    private static IEnumerable<(string File, string Text)> Sources() =>
        from folder in Directory.GetDirectories(Path.Combine(Repository.Root, "src")).Select(Repository.Relative)
        where !folder.EndsWith("Analyzers", StringComparison.Ordinal) && !folder.EndsWith("CodeFixes", StringComparison.Ordinal)
            && !folder.EndsWith("Migration", StringComparison.Ordinal)
        from file in Repository.Files(folder, "*.cs")
        select (Repository.Relative(file), File.ReadAllText(file));

    /// <summary>The places where a link lets a call go on, and what is wrong with them.</summary>
    private static IEnumerable<(string Place, bool IsRight)> Places(string file, string text)
    {
        SyntaxNode root = CSharpSyntaxTree.ParseText(text).GetRoot();
        return
            from call in root.DescendantNodes().OfType<InvocationExpressionSyntax>()
            where call.Expression is MemberAccessExpressionSyntax { Name: IdentifierNameSyntax { Identifier.Text: "ExecuteAsync" } }
            where call.ArgumentList.Arguments.Count == 1
            select ($"{file}: {call}", IsTakenCareOf(call));
    }

    private static bool IsTakenCareOf(SyntaxNode call)
    {
        for (SyntaxNode node = call; node.Parent is { } parent; node = parent)
        {
            switch (parent)
            {
                case AwaitExpressionSyntax or ReturnStatementSyntax or ArrowExpressionClauseSyntax:
                case MemberAccessExpressionSyntax { Name.Identifier.Text: "AsTask" }:
                    return true;
                case ArgumentSyntax argument:
                    return IsTaker(argument);
                case EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax variable }:
                    return IsUsed(variable.Identifier.Text, variable);
                case AssignmentExpressionSyntax { Left: IdentifierNameSyntax variable }:
                    return IsUsed(variable.Identifier.Text, parent);
                case StatementSyntax:
                    return false;
            }
        }

        return false;
    }

    private static bool IsUsed(string variable, SyntaxNode place)
    {
        SyntaxNode method = place.Ancestors().OfType<BaseMethodDeclarationSyntax>().First();
        return method.DescendantNodes().OfType<IdentifierNameSyntax>().Where(name => name.Identifier.Text == variable).Any(name => name.Parent switch
        {
            ArgumentSyntax argument => IsTaker(argument),
            MemberAccessExpressionSyntax { Name.Identifier.Text: "AsTask" or "ConfigureAwait" } => true,
            AwaitExpressionSyntax => true,
            _ => false,
        });
    }

    private static bool IsTaker(ArgumentSyntax argument) =>
        argument.Parent?.Parent is InvocationExpressionSyntax taker && Takers.Contains(taker.Expression switch
        {
            MemberAccessExpressionSyntax member => member.Name.Identifier.Text,
            SimpleNameSyntax name => name.Identifier.Text,
            _ => "",
        });

    [Fact]
    public void A_call_that_a_link_lets_go_on_is_awaited_or_handed_up_or_suspended()
    {
        (string Place, bool IsRight)[] places = [.. Sources().SelectMany(s => Places(s.File, s.Text))];
        places.Should().HaveCountGreaterThan(15, "the check finds the links");
        places.Where(p => !p.IsRight).Select(p => p.Place).ShouldBeNone();
    }

    [Theory]
    [InlineData("next.ExecuteAsync(context); return default;", false)]
    [InlineData("_ = next.ExecuteAsync(context); return default;", false)]
    [InlineData("var running = next.ExecuteAsync(context); return running.IsCompletedSuccessfully ? running : default;", false)]
    [InlineData("var running = next.ExecuteAsync(context); while (!running.IsCompleted) { } return default;", false)]
    [InlineData(
        "var running = next.ExecuteAsync(context); if (!running.IsCompletedSuccessfully) return Suspend(running, context); return new(running.Result);", true)]
    [InlineData("return next.ExecuteAsync(context);", true)]
    [InlineData("Task<int> running = next.ExecuteAsync(context).AsTask(); return new(running);", true)]
    public void The_check_finds_a_planted_call_that_is_not_awaited(string body, bool isRight) =>
        Places("Planted.cs", $"class Planted {{ ValueTask<int> Execute() {{ {body} }} }}").Should().ContainSingle().Which.IsRight.Should().Be(isRight);
}

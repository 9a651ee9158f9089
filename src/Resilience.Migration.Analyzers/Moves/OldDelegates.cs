using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Delegates of Polly v7, whose parameters are written as what ours are told.</summary>
internal sealed class OldDelegates(MoveScope scope) : Move(scope)
{
    internal sealed class Translated(string text, bool isExpression, bool isAsync)
    {
        internal string Text => text;

        internal bool IsExpression => isExpression;

        internal bool IsAsync => isAsync;
    }

    /// <summary>The body, or a call of what is named. Null where it reads what ours is not told, names more of theirs, or throws, which ours would
    /// swallow.</summary>
    /// <param name="value">The delegate.</param>
    /// <param name="ours">What stands for a parameter of theirs; null: nothing does.</param>
    /// <param name="outcome">The name of the attempt that stands for a <c>DelegateResult</c>; null: nothing does.</param>
    internal Translated? Given(ExpressionSyntax value, Func<IParameterSymbol, string?> ours, string? outcome)
    {
        if (value is LambdaExpressionSyntax lambda)
        {
            if (SymbolOf(lambda) is not IMethodSymbol symbol || OptionsMove.Throws(lambda.Body)) return null;
            if (Replaced(lambda.Body, symbol, ours, outcome) is not { } body) return null;
            return new(body, lambda.Body is ExpressionSyntax, lambda.AsyncKeyword.RawKind != 0);
        }

        bool isMethod = SymbolOf(value) is IMethodSymbol;
        if (!isMethod && SymbolOf(value) is not (ILocalSymbol or IParameterSymbol or IFieldSymbol { IsReadOnly: true })) return null;
        IMethodSymbol? called = SymbolOf(value) as IMethodSymbol ?? (TypeOf(value) as INamedTypeSymbol)?.DelegateInvokeMethod;
        if (called is null || called.DeclaringSyntaxReferences.Any(r => OptionsMove.Throws(r.GetSyntax(Scope.Cancellation)))) return null;
        string?[] arguments = [.. called.Parameters.Select(ours)];
        return arguments.Any(static a => a is null) ? null : new($"{Text(value)}({string.Join(", ", arguments)})", true, false);
    }

    /// <summary>A callback that may throw the failure again, and so end the call with it, as the computation of the wait: one that is longer than all that
    /// are waited for ends the retries with the failure. Null where it throws something else, awaits, or reads what ours is not told.</summary>
    internal string? Stopping(ExpressionSyntax told, Func<IParameterSymbol, string?> ours, string attempt, string delay, string wait)
    {
        if (told is not LambdaExpressionSyntax { Body: BlockSyntax body } lambda || lambda.AsyncKeyword.RawKind != 0) return null;
        if (SymbolOf(lambda) is not IMethodSymbol symbol) return null;
        StatementSyntax[] thrown = [.. body.DescendantNodes().OfType<StatementSyntax>().Where(s => IsThrownAgain(s, symbol))];
        ReturnStatementSyntax[] returns = [.. body.DescendantNodes(static n => n is not AnonymousFunctionExpressionSyntax).OfType<ReturnStatementSyntax>()];
        if (thrown.Length == 0 || !returns.All(static r => r.Expression is null || OptionsMove.IsDone(r.Expression))) return null;
        if (OptionsMove.Throws(body.ReplaceNodes(thrown, static (_, _) => SyntaxFactory.EmptyStatement()))) return null;
        if (Replaced(body, symbol, ours, attempt, [.. thrown, .. returns], delay) is not { } text) return null;
        string end = body.Statements.LastOrDefault() is ReturnStatementSyntax ? "" : $" return {delay};";
        string inside = text.Substring(text.IndexOf('{') + 1, text.LastIndexOf('}') - text.IndexOf('{') - 1);
        return $"{attempt} => {{ var {delay} = {wait};{inside}{end} }}";
    }

    /// <summary>A statement that throws the exception which the callback was told.</summary>
    private bool IsThrownAgain(StatementSyntax statement, IMethodSymbol lambda)
    {
        ExpressionSyntax? again = statement switch
        {
            ThrowStatementSyntax { Expression: IdentifierNameSyntax error } => error,
            ExpressionStatementSyntax { Expression: InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax call } thrown }
                when call.ToString().EndsWith("ExceptionDispatchInfo.Throw", StringComparison.Ordinal) => thrown.ArgumentList.Arguments[0].Expression,
            ExpressionStatementSyntax
            {
                Expression: InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Expression: InvocationExpressionSyntax captured } }
            } when captured.Expression.ToString().EndsWith("ExceptionDispatchInfo.Capture", StringComparison.Ordinal) =>
                captured.ArgumentList.Arguments[0].Expression,
            _ => null,
        };
        return again is not null && SymbolOf(again) is IParameterSymbol { Type.Name: "Exception" } parameter
            && SymbolEqualityComparer.Default.Equals(parameter.ContainingSymbol, lambda);
    }

    /// <summary>A callback that has done all when it returns, as a block.</summary>
    internal string? StatementOf(ExpressionSyntax told, Func<IParameterSymbol, string?> ours, string? outcome)
    {
        if (Given(told, ours, outcome) is not { IsAsync: false } given) return null;
        bool returnsVoid = (Scope.Model.GetTypeInfo(told, Scope.Cancellation).ConvertedType as INamedTypeSymbol)?.DelegateInvokeMethod?.ReturnsVoid == true;
        if (returnsVoid) return given.IsExpression ? $"{{ {given.Text}; }}" : given.Text;
        if (given.IsExpression || SyntaxFactory.ParseStatement(given.Text) is not BlockSyntax block) return null;
        return OptionsMove.WithoutReturns(block)?.ToString();
    }

    private string? Replaced(
        SyntaxNode body, IMethodSymbol lambda, Func<IParameterSymbol, string?> ours, string? outcome, StatementSyntax[]? ends = null, string? delay = null)
    {
        Dictionary<SyntaxNode, string> replaced = [];
        foreach (IdentifierNameSyntax use in body.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>())
        {
            if (ends?.Any(e => e.Span.Contains(use.Span)) == true) continue; // written anew below
            if (SymbolOf(use) is not IParameterSymbol parameter || !SymbolEqualityComparer.Default.Equals(parameter.ContainingSymbol, lambda)) continue;
            if (parameter.Type.Name == "DelegateResult")
            {
                if (outcome is null || OfResult(use, outcome) is not { } read) return null;
                replaced[read.Node] = read.Text;
            }
            else if (parameter.Type.Name == "Context")
            {
                if (outcome is null || OfContext(use, outcome) is not { } kept) return null;
                foreach ((SyntaxNode node, string written) in kept) replaced[node] = written;
            }
            else if (ours(parameter) is { } text)
            {
                replaced[use] = text;
            }
            else
            {
                return null;
            }
        }

        bool namesTheirs = body.DescendantNodesAndSelf().OfType<SimpleNameSyntax>().Any(n =>
            Theirs.Own(SymbolOf(n)) && !replaced.Keys.Any(k => k.Span.Contains(n.Span)));
        return namesTheirs ? null : body.ReplaceNodes(replaced.Keys.Concat(ends ?? []), (old, _) => (replaced.TryGetValue(old, out string? text)
            ? SyntaxFactory.ParseExpression(text)
            : (SyntaxNode)SyntaxFactory.ParseStatement(old is ReturnStatementSyntax ? $"return {delay};" : "return System.TimeSpan.MaxValue;"))
            .WithTriviaFrom(old)).ToString();
    }

    /// <summary>What a callback keeps for its call under a constant of its own type is a property of the call, in a field that is written for it.</summary>
    private (SyntaxNode Node, string Text)[]? OfContext(IdentifierNameSyntax use, string attempt)
    {
        if (use.Parent is not MemberAccessExpressionSyntax { Parent: InvocationExpressionSyntax call } access || access.Expression != use) return null;
        string? name = access.Name.Identifier.ValueText switch { "TryGetValue" => "TryGet", "Add" => "Set<object>", _ => null };
        TypeDeclarationSyntax? type = use.FirstAncestorOrSelf<TypeDeclarationSyntax>();
        if (name is null || type is null || call.ArgumentList.Arguments is not { Count: 2 } said) return null;
        bool isOwn = SymbolOf(said[0].Expression) is IFieldSymbol { IsConst: true, DeclaredAccessibility: Accessibility.Private } constant
            && constant.Type.SpecialType == SpecialType.System_String;
        if (!isOwn || said[0].Expression is not IdentifierNameSyntax key) return null;
        string field = key.Identifier.ValueText + "Property";
        Scope.AddField(type, field, $"private static readonly {Scope.Names.OfOurs("ResilienceProperty")}<object> {field} = new({key.Identifier.ValueText});");
        return [(access, $"{attempt}.Context.{name}"), (key, field)];
    }

    /// <summary>The exception or the result of what stands for an outcome, also where it is asked for with a question mark.</summary>
    private (SyntaxNode Node, string Text)? OfResult(IdentifierNameSyntax use, string outcome)
    {
        ITypeSymbol? result = (TypeOf(use) as INamedTypeSymbol)?.TypeArguments.FirstOrDefault();
        string? type = result?.ToMinimalDisplayString(Scope.Model, use.SpanStart);
        switch (use.Parent)
        {
            case MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Exception" } failed:
                return (failed, outcome + ".Exception");
            case MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Result" } made:
                return (made, $"(({type}){outcome}.Result!)");
            case ConditionalAccessExpressionSyntax asked when asked.Expression == use && result?.IsReferenceType == true:
                string rest = asked.WhenNotNull.ToString();
                return rest.StartsWith(".Exception", StringComparison.Ordinal) ? (asked, outcome + rest)
                    : rest.StartsWith(".Result", StringComparison.Ordinal) ? (asked, $"({outcome}.Result as {type}){rest.Substring(".Result".Length)}") : null;
            default:
                return null;
        }
    }
}

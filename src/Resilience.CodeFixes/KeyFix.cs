using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;
using Microsoft.CodeAnalysis.Formatting;
using Microsoft.CodeAnalysis.Operations;
using Resilience.Analyzers;

namespace Resilience.CodeFixes;

/// <summary>Gives a request one idempotency key, made before the pipeline is called, so that all attempts carry it. RES105.</summary>
/// <remarks>A key that the handlers of the client make (<c>AddIdempotencyKey</c>) would be another one for each attempt: they stand inside this
/// pipeline.</remarks>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(KeyFix)), Shared]
public sealed class KeyFix() : Fix("Send one idempotency key with all attempts, which the server must honor", "RES105")
{
    private const string Header = "Idempotency-Key";

    private protected override Action<SyntaxEditor>? Plan(SyntaxNode at, FixScope scope)
    {
        if (at.FirstAncestorOrSelf<InvocationExpressionSyntax>() is not { Expression: MemberAccessExpressionSyntax } call) return null;
        if (scope.Model.GetOperation(call, scope.Cancellation) is not IInvocationOperation sent || SaysVersion(scope)) return null;
        if (call.FirstAncestorOrSelf<AnonymousFunctionExpressionSyntax>() is not { } lambda || StatementOf(lambda) is not { } before) return null;
        Names names = new(scope, call);
        if (RequestOf(sent, call, names) is not { } request) return null;
        return editor =>
        {
            string key = scope.FreeName("idempotencyKey", lambda);
            editor.ReplaceNode(call, (c, _) =>
                request((InvocationExpressionSyntax)c, key).WithTriviaFrom(c).WithAdditionalAnnotations(Formatter.Annotation));
            Declare(editor, before, $"string {key} = {names.Of("System.Guid")}.NewGuid().ToString();");
        };
    }

    /// <summary>What a client says of the version holds for <c>PostAsync</c>, and not for a message of one's own.</summary>
    private static bool SaysVersion(FixScope scope) => scope.Model.Compilation.SyntaxTrees.Any(t =>
        t.GetText(scope.Cancellation).ToString() is var text && (text.Contains("DefaultRequestVersion") || text.Contains("DefaultVersionPolicy")));

    /// <summary>Where the key is made: before the statement that runs the pipeline, or in the method that is nothing but that. Null where it might be made
    /// once for several calls, or nowhere.</summary>
    private static SyntaxNode? StatementOf(AnonymousFunctionExpressionSyntax lambda)
    {
        SyntaxNode? function = Code.FunctionOf(lambda);
        if (function is MethodDeclarationSyntax { ExpressionBody: not null } or LocalFunctionStatementSyntax { ExpressionBody: not null }) return function;
        SyntaxNode? statement = lambda.Ancestors().TakeWhile(a => a != function).FirstOrDefault(static a => a is StatementSyntax);
        return statement switch
        {
            null or ForStatementSyntax or WhileStatementSyntax or DoStatementSyntax => null,
            { Parent: BlockSyntax or SwitchSectionSyntax } => statement,
            { Parent: GlobalStatementSyntax global } => global,
            _ => null,
        };
    }

    private static void Declare(SyntaxEditor editor, SyntaxNode before, string declaration)
    {
        StatementSyntax made = SyntaxFactory.ParseStatement(declaration).WithAdditionalAnnotations(Formatter.Annotation);
        switch (before)
        {
            case MethodDeclarationSyntax:
                editor.ReplaceNode(before, (now, _) => now is MethodDeclarationSyntax m
                    ? m.WithExpressionBody(null).WithSemicolonToken(default).WithBody(BodyOf(made, m.Body, m.ExpressionBody, m.ReturnType, m.Modifiers))
                    : now);
                break;
            case LocalFunctionStatementSyntax:
                editor.ReplaceNode(before, (now, _) => now is LocalFunctionStatementSyntax m
                    ? m.WithExpressionBody(null).WithSemicolonToken(default).WithBody(BodyOf(made, m.Body, m.ExpressionBody, m.ReturnType, m.Modifiers))
                    : now);
                break;
            case GlobalStatementSyntax global:
                editor.InsertBefore(global, SyntaxFactory.GlobalStatement(made));
                break;
            default:
                editor.InsertBefore(before, made);
                break;
        }
    }

    /// <summary>The body of a method with one more statement at its beginning; one that is an expression becomes a block.</summary>
    private static BlockSyntax BodyOf(
        StatementSyntax made, BlockSyntax? body, ArrowExpressionClauseSyntax? arrow, TypeSyntax type, SyntaxTokenList modifiers) => arrow is null
        ? body!.WithStatements(body.Statements.Insert(0, made))
        : BlockOf(made, arrow.Expression, type, modifiers);

    private static BlockSyntax BlockOf(StatementSyntax made, ExpressionSyntax value, TypeSyntax type, SyntaxTokenList modifiers)
    {
        bool isAsync = modifiers.Any(SyntaxKind.AsyncKeyword);
        bool givesNothing = isAsync ? type is not GenericNameSyntax and not QualifiedNameSyntax { Right: GenericNameSyntax } : type is PredefinedTypeSyntax
        {
            Keyword.RawKind: (int)SyntaxKind.VoidKeyword,
        };
        value = value.WithoutTrivia();
        StatementSyntax run = givesNothing ? SyntaxFactory.ExpressionStatement(value) : SyntaxFactory.ReturnStatement(value);
        return SyntaxFactory.Block(made, run).WithAdditionalAnnotations(Formatter.Annotation);
    }

    /// <summary>The call with a message that has the key; null where what it sends cannot be seen.</summary>
    private static Func<InvocationExpressionSyntax, string, InvocationExpressionSyntax>? RequestOf(
        IInvocationOperation sent, InvocationExpressionSyntax call, Names names)
    {
        string name = sent.TargetMethod.Name;
        if (name == "SendAsync")
            return call.ArgumentList.Arguments[0].Expression is BaseObjectCreationExpressionSyntax made && MayTakeHeaders(made) ? SendWithKey : null;
        Dictionary<string, int> places = [];
        foreach (IArgumentOperation argument in sent.Arguments)
        {
            if (argument is { ArgumentKind: ArgumentKind.Explicit, Syntax: ArgumentSyntax given, Parameter: { } parameter })
                places[parameter.Name] = call.ArgumentList.Arguments.IndexOf(given);
        }

        places.Remove("client"); // the receiver of an extension method
        string[] known = ["requestUri", "content", "value", "options", "jsonTypeInfo", "cancellationToken"];
        if (places.Keys.Except(known).Any() || !places.TryGetValue("requestUri", out int uri) || places.Values.Any(static p => p < 0)) return null;
        if (call.ArgumentList.Arguments[uri].Expression is ImplicitObjectCreationExpressionSyntax or LiteralExpressionSyntax
            {
                RawKind: (int)SyntaxKind.NullLiteralExpression or (int)SyntaxKind.DefaultLiteralExpression,
            }) return null;
        string method = name.StartsWith("Post", StringComparison.Ordinal) ? "Post" : "Patch";
        return (now, key) => Sent(now, places, method, key, names);
    }

    private static InvocationExpressionSyntax Sent(
        InvocationExpressionSyntax call, Dictionary<string, int> places, string method, string key, Names names)
    {
        ArgumentSyntax? Given(string name) => places.TryGetValue(name, out int place) ? call.ArgumentList.Arguments[place] : null;

        MemberAccessExpressionSyntax access = (MemberAccessExpressionSyntax)call.Expression;
        string json = names.Of("System.Net.Http.Json.JsonContent") + ".Create";
        string types = access.Name is GenericNameSyntax generic ? generic.TypeArgumentList.ToString() : "";
        string? content = Given("content") is { } raw ? raw.Expression.ToString()
            : Given("value") is not { } value ? null
            : Given("jsonTypeInfo") is { } info ? $"{json}{types}({value.Expression}, {info.Expression})"
            : Given("options") is { } options ? $"{json}{types}({value.Expression}, options: {options.Expression})"
            : $"{json}{types}({value.Expression})";
        string type = names.Of("System.Net.Http.HttpRequestMessage"), verb = names.Of("System.Net.Http.HttpMethod") + "." + method;
        string message = $"new {type}({verb}, {Given("requestUri")!.Expression}) "
            + $"{{ {(content is null ? "" : $"Content = {content}, ")}Headers = {{ {{ \"{Header}\", {key} }} }} }}";
        string token = Given("cancellationToken") is { } given ? $", {given.Expression}" : "";
        return call.WithExpression(access.WithName(SyntaxFactory.IdentifierName("SendAsync")))
            .WithArgumentList(SyntaxFactory.ParseArgumentList($"({message}{token})"));
    }

    /// <summary>A message that is made on the spot, and sets no headers yet.</summary>
    private static bool MayTakeHeaders(BaseObjectCreationExpressionSyntax made) =>
        made.ArgumentList is not null && made.Initializer?.Expressions.OfType<AssignmentExpressionSyntax>().Any(static a =>
            a.Left.ToString() == "Headers") != true;

    private static InvocationExpressionSyntax SendWithKey(InvocationExpressionSyntax call, string key)
    {
        ArgumentSyntax first = call.ArgumentList.Arguments[0];
        BaseObjectCreationExpressionSyntax made = (BaseObjectCreationExpressionSyntax)first.Expression;
        ExpressionSyntax headers = ((ImplicitObjectCreationExpressionSyntax)SyntaxFactory.ParseExpression(
            $"new() {{ Headers = {{ {{ \"{Header}\", {key} }} }} }}")).Initializer!.Expressions[0];
        InitializerExpressionSyntax all = made.Initializer is { } said
            ? said.WithExpressions(SyntaxFactory.SeparatedList([.. said.Expressions.Select(static e => e.WithoutTrailingTrivia()), headers]))
            : SyntaxFactory.InitializerExpression(SyntaxKind.ObjectInitializerExpression, SyntaxFactory.SingletonSeparatedList(headers));
        return call.ReplaceNode(first, first.WithExpression(made.WithInitializer(all.WithAdditionalAnnotations(Formatter.Annotation))));
    }

    /// <summary>The shortest names of types where the call stands.</summary>
    private sealed class Names(FixScope scope, SyntaxNode at)
    {
        internal string Of(string type) => scope.Model.Compilation.GetTypeByMetadataName(type)?.ToMinimalDisplayString(scope.Model, at.SpanStart) ?? type;
    }
}

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>Questions about a place in the code that several rules ask.</summary>
internal static class Code
{
    private const int MaxDepth = 8; // of locals that are made of locals

    /// <summary>The function whose body holds the node; the compilation unit for top-level statements; null in an initializer.</summary>
    internal static SyntaxNode? FunctionOf(SyntaxNode node)
    {
        foreach (SyntaxNode outer in node.Ancestors())
        {
            if (IsFunction(outer)) return outer;
            if (outer is GlobalStatementSyntax) return outer.Parent;
            if (outer is BaseTypeDeclarationSyntax) return null;
        }

        return null;
    }

    internal static bool IsFunction(SyntaxNode node) =>
        node is BaseMethodDeclarationSyntax or AccessorDeclarationSyntax or LocalFunctionStatementSyntax or AnonymousFunctionExpressionSyntax;

    /// <summary>Whether a function runs again and again for all we can see. When in doubt it does not: a program's start and what only
    /// it calls, constructors, and what runs in the background once.</summary>
    internal static bool RunsOften(SyntaxNode? function) => function switch
    {
        MethodDeclarationSyntax method => !IsProgram(method),
        AccessorDeclarationSyntax => true,
        AnonymousFunctionExpressionSyntax lambda => IsStartedOnce(lambda) ? RunsOften(FunctionOf(lambda)) : true,
        LocalFunctionStatementSyntax local => RunsOften(FunctionOf(local)),
        _ => false,
    };

    /// <summary>Is there a loop between the node and the function (or any other node) around it?</summary>
    internal static bool IsInLoop(SyntaxNode node, SyntaxNode? around) => node.Ancestors().TakeWhile(a => a != around).Any(IsLoop);

    internal static bool IsLoop(SyntaxNode node) => node is ForStatementSyntax or CommonForEachStatementSyntax or WhileStatementSyntax or DoStatementSyntax;

    /// <summary>Whether a name stands where something is written to it: assigned, or handed out by reference.</summary>
    internal static bool IsWritten(SyntaxNode name) => Outermost(name) is var whole && whole.Parent switch
    {
        AssignmentExpressionSyntax assignment => assignment.Left == whole,
        ArgumentSyntax argument => argument.RefKindKeyword.RawKind != 0 || argument.Parent is TupleExpressionSyntax,
        _ => false,
    };

    /// <summary>The node without the parentheses, awaits excluded, around it.</summary>
    internal static SyntaxNode Outermost(SyntaxNode node)
    {
        while (node.Parent is ParenthesizedExpressionSyntax or PostfixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.SuppressNullableWarningExpression })
            node = node.Parent;
        return node;
    }

    /// <summary>Whether the value is what a property or an indexer gives each time that it is read.</summary>
    internal static bool IsValueOfGetter(SyntaxNode value) => value.Parent switch
    {
        ArrowExpressionClauseSyntax { Parent: PropertyDeclarationSyntax or IndexerDeclarationSyntax } => true,
        ArrowExpressionClauseSyntax { Parent: AccessorDeclarationSyntax { Keyword.RawKind: (int)SyntaxKind.GetKeyword } } => true,
        ReturnStatementSyntax given => FunctionOf(given) is AccessorDeclarationSyntax { Keyword.RawKind: (int)SyntaxKind.GetKeyword },
        _ => false,
    };

    /// <summary>The instance field or property that a value is put into when an object is made, in its initializer or in a constructor.</summary>
    internal static ISymbol? InstanceMemberSetTo(SyntaxNode value, SemanticModel model, CancellationToken cancellation)
    {
        ISymbol? member = value.Parent switch
        {
            EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax { Parent.Parent: FieldDeclarationSyntax } field } =>
                model.GetDeclaredSymbol(field, cancellation),
            EqualsValueClauseSyntax { Parent: PropertyDeclarationSyntax property } => model.GetDeclaredSymbol(property, cancellation),
            AssignmentExpressionSyntax { RawKind: (int)SyntaxKind.SimpleAssignmentExpression } set
                when set.Right == value && FunctionOf(set) is ConstructorDeclarationSyntax => model.GetSymbolInfo(set.Left, cancellation).Symbol,
            _ => null,
        };
        return member is IFieldSymbol or IPropertySymbol && !member.IsStatic ? member : null;
    }

    /// <summary>The name of the member that is read from the expression: <c>Name</c> in <c>expression.Name</c>.</summary>
    internal static SimpleNameSyntax? MemberReadFrom(SyntaxNode expression) =>
        Outermost(expression) is var whole && whole.Parent is MemberAccessExpressionSyntax access && access.Expression == whole ? access.Name : null;

    internal static bool IsInSource(ISymbol? symbol) => symbol?.Locations.Any(static l => l.IsInSource) == true;

    /// <summary>Every place in the scope where a local is named, its declaration excluded.</summary>
    internal static IEnumerable<IdentifierNameSyntax> UsesOf(ISymbol local, SyntaxNode scope, SemanticModel model, CancellationToken cancellation) =>
        scope.DescendantNodes().OfType<IdentifierNameSyntax>().Where(n => n.Identifier.ValueText == local.Name
            && SymbolEqualityComparer.Default.Equals(model.GetSymbolInfo(n, cancellation).Symbol, local));

    /// <summary>The value without the conversions around it.</summary>
    internal static IOperation Bare(IOperation value)
    {
        while (value is IConversionOperation or IParenthesizedOperation)
            value = value is IConversionOperation conversion ? conversion.Operand : ((IParenthesizedOperation)value).Operand;
        return value;
    }

    /// <summary>The value, or what the local that holds it was made with, if it is never anything else.</summary>
    internal static IOperation? Resolve(IOperation? value, CancellationToken cancellation)
    {
        for (int depth = 0; depth < MaxDepth && value is not null; depth++)
        {
            value = Bare(value);
            if (value is not ILocalReferenceOperation { Local: var local, SemanticModel: { } model }) return value;
            SyntaxNode? declared = local.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax(cancellation);
            if (declared is not VariableDeclaratorSyntax { Initializer.Value: { } made } declarator
                || FunctionOf(declarator) is not { } function
                || UsesOf(local, function, model, cancellation).Any(IsWritten)) return null;
            while (made is PostfixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.SuppressNullableWarningExpression } sure) made = sure.Operand;
            value = model.GetOperation(made, cancellation);
        }

        return null;
    }

    /// <summary>Does it derive from a class of this full name, or is it that class?</summary>
    internal static bool Derives(ITypeSymbol? type, string fullName)
    {
        for (ITypeSymbol? at = type; at is not null; at = at.BaseType)
        {
            if (at.OriginalDefinition.ToDisplayString() == fullName) return true;
        }

        return false;
    }

    /// <summary>The name of what is called, without what stands before it.</summary>
    internal static Location NameOf(IInvocationOperation call) => (call.Syntax as InvocationExpressionSyntax)?.Expression switch
    {
        MemberAccessExpressionSyntax access => access.Name.GetLocation(),
        MemberBindingExpressionSyntax bound => bound.Name.GetLocation(),
        { } name => name.GetLocation(),
        null => call.Syntax.GetLocation(),
    };

    /// <summary>The lambda that an argument is, if it is one.</summary>
    internal static IAnonymousFunctionOperation? LambdaOf(IArgumentOperation argument) =>
        Bare(argument.Value) is IDelegateCreationOperation { Target: IAnonymousFunctionOperation lambda } ? lambda : null;

    /// <summary>What stands in a function itself, not in the functions inside it.</summary>
    internal static IEnumerable<IOperation> OwnOperations(IAnonymousFunctionOperation function) => function.Body.Descendants().Where(o =>
    {
        IOperation? outer = o.Parent;
        while (outer is not null and not IAnonymousFunctionOperation and not ILocalFunctionOperation) outer = outer.Parent;
        return outer == function;
    });

    /// <summary>The seconds of a constant time: <c>TimeSpan.FromSeconds(2)</c>, <c>new TimeSpan(0, 0, 2)</c>. Null when it is not constant.</summary>
    internal static double? Seconds(IOperation value, Known known) => Bare(value) switch
    {
        IInvocationOperation { TargetMethod: { IsStatic: true } method } made when Known.Is(method.ContainingType, known.TimeSpan) =>
            UnitOf(method.Name) * OnlyNumber(made),
        IObjectCreationOperation { Arguments.Length: 3 } made when Known.Is(made.Type, known.TimeSpan)
            && made.Arguments.All(a => a.Value.ConstantValue is { HasValue: true, Value: int }) =>
            Ordered(made) is var parts ? (parts[0] * 3600) + (parts[1] * 60) + parts[2] : null,
        _ => null,
    };

    private static int[] Ordered(IObjectCreationOperation made) =>
        [.. made.Arguments.OrderBy(a => a.Parameter?.Ordinal ?? 0).Select(a => (int)a.Value.ConstantValue.Value!)];

    private static double? OnlyNumber(IInvocationOperation made)
    {
        IArgumentOperation[] said = [.. made.Arguments.Where(a => a.ArgumentKind == ArgumentKind.Explicit)];
        return said.Length == 1 && Bare(said[0].Value).ConstantValue is { HasValue: true, Value: int or long or double } number
            ? Convert.ToDouble(number.Value, System.Globalization.CultureInfo.InvariantCulture)
            : null;
    }

    private static double? UnitOf(string method) => method switch
    {
        "FromMilliseconds" => 0.001,
        "FromSeconds" => 1,
        "FromMinutes" => 60,
        "FromHours" => 3600,
        "FromDays" => 86400,
        _ => null,
    };

    /// <summary>The start of the program, and the methods beside it.</summary>
    private static bool IsProgram(MethodDeclarationSyntax method) => method.Parent is TypeDeclarationSyntax type
        && (type.Identifier.ValueText == "Program" || type.Members.OfType<MethodDeclarationSyntax>()
            .Any(m => m.Identifier.ValueText == "Main" && m.Modifiers.Any(SyntaxKind.StaticKeyword)));

    /// <summary>Handed to something that runs it once: <c>Task.Run</c>, a thread, <c>Lazy</c>.</summary>
    private static bool IsStartedOnce(AnonymousFunctionExpressionSyntax lambda) => (lambda.Parent as ArgumentSyntax)?.Parent?.Parent switch
    {
        InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Run" or "StartNew" } } => true,
        ObjectCreationExpressionSyntax { Type: SimpleNameSyntax { Identifier.ValueText: "Thread" or "Lazy" } } => true,
        _ => false,
    };
}

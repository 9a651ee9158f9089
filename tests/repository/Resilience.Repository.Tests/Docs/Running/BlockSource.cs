using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Docs.Running;

/// <summary>A block as a source file that compiles beside all others: in a namespace of its own, with the names that the documents take as given.</summary>
internal static class BlockSource
{
    internal const string Around = "around";

    /// <summary>What a reader of a page knows who has the packages; <see cref="Block.Shown"/> is added.</summary>
    private const string Known = """
        using System; using System.Collections.Generic; using System.IO; using System.Linq; using System.Net.Http; using System.Threading; using System.Threading.Tasks;
        using Resilience; using Microsoft.Extensions.Configuration; using Microsoft.Extensions.DependencyInjection; using Microsoft.Extensions.Options;
        using System.Threading.RateLimiting; using Microsoft.AspNetCore.Builder; using Microsoft.AspNetCore.Http; using Npgsql;
        """;

    /// <summary>The ones that the SDK gives to every project.</summary>
    private const string Implicit =
        "using System; using System.Collections.Generic; using System.IO; using System.Linq; using System.Net.Http; using System.Threading; using System.Threading.Tasks;";

    private const string World = "global::Resilience.Tests.Docs.Running.BlockWorld";

    /// <summary>What a .proto generates, for the blocks about gRPC.</summary>
    private static readonly string Generated = $$"""
        public static class Orders
        {
            public static Google.Protobuf.Reflection.ServiceDescriptor Descriptor => {{World}}.Orders;

            public sealed class OrdersClient(Grpc.Core.CallInvoker invoker) : Grpc.Core.ClientBase(invoker);
        }
        """;

    private const string Console = """
        internal static class Console
        {
            public static void WriteLine(object? value = null) => Snippet.page.Print(value);
        }
        """;

    internal static string NameOf(int number) => $"Block{number}";

    internal static string Of(Block block, int number, string folder)
    {
        string around = $"#line 1 \"{Around}\"\n{UsingsAround(block)}\n";
        int usings = EndOfUsings(block);
        string code = OnClock(block);
        code = code.Replace("keys.db", $"{folder}/keys.db", StringComparison.Ordinal).Replace("shop.db", $"{folder}/shop.db", StringComparison.Ordinal)
            .Replace("prices.csv", $"{folder}/prices.csv", StringComparison.Ordinal)
            .Replace($"\"{BlockWorld.NoPostgreSql}\"", "Snippet.page.PostgreSql", StringComparison.Ordinal);
        string line = $"#line {block.Line} \"{block.File}\"\n",
            body = $"#line {block.Line + block.Code[..usings].Count(c => c == '\n')} \"{block.File}\"\n{code[usings..]}";
        if (IsAlone(block)) return $"{around}{line}{code}";
        return $$"""
            {{around}}
            namespace {{NameOf(number)}}
            {
            {{line}}{{code[..usings]}}
            {{(block.IsFile ? body : "")}}
            #line 1 "{{Around}}"
            {{(block.Code.Contains("Console.", StringComparison.Ordinal) ? Console : "")}}
            {{(block.Code.Contains("Orders.OrdersClient", StringComparison.Ordinal) ? Generated : "")}}
            public static class Snippet
            {
            #pragma warning disable CS0169, CS0649
                internal static {{World}} page = null!;
                static global::System.Net.Http.HttpClient http => page.Http;
                static global::Resilience.Tests.Docs.Running.ScriptedServer server => page.Server;
                static global::Microsoft.Extensions.DependencyInjection.IServiceCollection services => page.Services;
                static global::Microsoft.AspNetCore.Builder.WebApplication app => page.App;
                static global::Microsoft.Extensions.Configuration.IConfiguration configuration => page.Configuration;

                public static async global::System.Threading.Tasks.Task RunAsync({{World}} given)
                {
                    page = given;
                    global::System.Threading.CancellationToken cancellationToken = Snippet.page.Token;
                    await global::System.Threading.Tasks.Task.Yield();
            {{Statements(block, block.Mark.First)}}
            {{(block.IsFile ? "" : body)}}
            {{Statements(block, block.Mark.After)}}
                    Snippet.page.Reached = true;
                }
            }
            }
            """;
    }

    /// <summary>Where the using lines at the top of a block end. 0 if it has none.</summary>
    internal static int EndOfUsings(Block block) => block.Syntax.Usings is { Count: > 0 } usings ? usings.FullSpan.End : 0;

    /// <summary>It has what cannot stand in a namespace.</summary>
    private static bool IsAlone(Block block) =>
        block.Syntax.AttributeLists.Count > 0 || block.Syntax.Members.Any(m => m is FileScopedNamespaceDeclarationSyntax);

    /// <summary>A block with using lines beyond those for a part of ours says all that it needs; another one stands on a page that has been read up to
    /// there: what a reader of it knows is <see cref="Known"/> and the namespaces of ours that blocks above have shown.</summary>
    private static string UsingsAround(Block block)
    {
        string[] own = [.. block.Usings];
        if (!block.IsFile && !own.All(Block.IsOurs)) return Implicit;
        return Known + string.Concat(block.Shown.Split(';', StringSplitOptions.RemoveEmptyEntries).Except(own).Select(s => $" using {s};"));
    }

    private static string Statements(Block block, IReadOnlyList<string> lines)
    {
        string place = $"#line {block.Line} \"{block.File} (its mark)\"\n";
        return place + string.Join("\n", lines.Select(l => !l.StartsWith("holds: ", StringComparison.Ordinal) ? $"{l.TrimEnd(';')};"
            : $"{World}.Holds({l["holds: ".Length..]}, @\"{l["holds: ".Length..].Replace("\"", "\"\"", StringComparison.Ordinal)}\");"));
    }

    /// <summary>The builders that the block makes get the clock of the world, unless it gives them one; no line moves by that.</summary>
    private static string OnClock(Block block)
    {
        string code = block.Code;
        foreach (BaseObjectCreationExpressionSyntax made in block.Syntax.DescendantNodes().OfType<BaseObjectCreationExpressionSyntax>()
            .Where(made => IsBuilder(made) && !SetsTime(made)).OrderByDescending(m => m.SpanStart))
        {
            string text = made is ImplicitObjectCreationExpressionSyntax ? $"new {TypeOf(made)}{made.ToString()["new".Length..]}" : made.ToString();
            code = code[..made.SpanStart] + $"Snippet.page.OnClock({text})" + code[made.Span.End..];
        }

        return code;
    }

    private static bool SetsTime(BaseObjectCreationExpressionSyntax made) =>
        made.Initializer?.Expressions.OfType<AssignmentExpressionSyntax>().Any(a => a.Left.ToString() == nameof(ResiliencePipelineBuilder.TimeProvider)) == true;

    private static bool IsBuilder(BaseObjectCreationExpressionSyntax made) =>
        TypeOf(made)?.StartsWith("ResiliencePipelineBuilder", StringComparison.Ordinal) == true;

    private static string? TypeOf(BaseObjectCreationExpressionSyntax made) => made switch
    {
        ObjectCreationExpressionSyntax named => named.Type.ToString(),
        { Parent.Parent.Parent: VariableDeclarationSyntax declared } => declared.Type.ToString(),
        _ => null,
    };
}

using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Resilience.Tests.Architecture;

namespace Resilience.Tests.Docs.Running;

/// <summary>Blocks of the documents, all in one compilation.</summary>
internal sealed class CompiledBlocks
{
    private const string NotNeeded = "CS8019"; // a using line

    private static readonly IReadOnlyList<MetadataReference> Known = [.. References.Packages,
        MetadataReference.CreateFromFile(typeof(BlockWorld).Assembly.Location)];

    private readonly Block[] _blocks;
    private readonly SyntaxTree[] _trees;
    private readonly Lazy<Assembly> _assembly;

    internal CompiledBlocks(IEnumerable<Block> blocks)
    {
        _blocks = [.. blocks];
        _trees = [.. _blocks.Select((b, i) => CSharpSyntaxTree.ParseText(BlockSource.Of(b, i, FolderOf(i))))];
        CSharpCompilation compilation = CSharpCompilation.Create(
            "Blocks", _trees, Known, new(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        ILookup<SyntaxTree?, Diagnostic> found = compilation.GetDiagnostics().ToLookup(d => d.Location.SourceTree);
        Errors = [.. found[null].Where(IsError).Select(d => d.GetMessage()),
            .. _blocks.SelectMany((b, i) => found[_trees[i]].Where(d => IsFault(b, d)).Select(Say)).Distinct()];
        _assembly = new(() => Load(compilation.RemoveSyntaxTrees(_trees.Where(t => found[t].Any(IsError)))));
    }

    /// <summary>All blocks of all documents that compile alone.</summary>
    internal static CompiledBlocks OfDocuments => Documents.Value;

    private static readonly Lazy<CompiledBlocks> Documents = new(() => new(Block.All.Where(b => b.Mark.NotCompiled is null)));

    /// <summary>Each with its place; lines that use a namespace for nothing among them.</summary>
    internal IReadOnlyList<string> Errors { get; }

    /// <summary>Null if the block does what it and its mark say.</summary>
    /// <param name="place">Where it stands.</param>
    /// <param name="postgres">The database for a block that needs one.</param>
    internal async Task<string?> RunAsync(string place, string postgres = BlockWorld.NoPostgreSql)
    {
        int number = Array.FindIndex(_blocks, b => b.Place == place);
        Block block = _blocks[number];
        if (_assembly.Value.GetType($"{BlockSource.NameOf(number)}.Snippet") is not { } type) return "it does not compile";
        Directory.CreateDirectory(FolderOf(number));
        try
        {
            await using BlockWorld world = new(FolderOf(number), block.Json, block.Mark.MaxWait) { PostgreSql = postgres };
            Exception? thrown = await EndOfAsync(type.GetMethod("RunAsync")!.CreateDelegate<Func<BlockWorld, Task>>(), world);
            return FaultOf(block, world, thrown);
        }
        finally
        {
            Remove(FolderOf(number));
        }
    }

    private static async Task<Exception?> EndOfAsync(Func<BlockWorld, Task> run, BlockWorld world)
    {
        try
        {
            await run(world).WaitAsync(TimeSpan.FromMinutes(2));
            await world.StartAsync();
            return null;
        }
        catch (Exception thrown)
        {
            return thrown;
        }
    }

    private static string? FaultOf(Block block, BlockWorld world, Exception? thrown)
    {
        if (thrown is FalseClaimException) return thrown.Message;
        if (block.Mark.Throws is { } wanted)
        {
            if (thrown?.GetType().Name != wanted) return $"it should throw {wanted}, and " + (thrown is null ? "does not throw" : $"throws {thrown}");
        }
        else if (thrown is not null) return $"it throws {thrown}";
        else if (!world.Reached) return "it returns before its end";
        if (block.Prints.Count == 0) return null;
        if (block.Prints.Count != world.Printed.Count || block.Prints.Zip(world.Printed).Any(p => !Matches(p.First, p.Second)))
            return $"it should print\n{string.Join('\n', block.Prints)}\nand prints\n{string.Join('\n', world.Printed)}";
        return null;
    }

    private static bool Matches(string pattern, string line) => System.Text.RegularExpressions.Regex.IsMatch(
        line, $"^{System.Text.RegularExpressions.Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal).Replace("\\?", ".", StringComparison.Ordinal)}$", System.Text.RegularExpressions.RegexOptions.Singleline);

    private static bool IsError(Diagnostic found) => found.Severity == DiagnosticSeverity.Error;

    private static bool IsFault(Block block, Diagnostic found) =>
        IsError(found) || (found.Id == NotNeeded && !block.IsFile && found.Location.GetMappedLineSpan().Path == block.File);

    private static string Say(Diagnostic found) =>
        $"{found.Location.GetMappedLineSpan().Path}:{found.Location.GetMappedLineSpan().StartLinePosition.Line + 1}: {found.GetMessage()}";

    private static Assembly Load(CSharpCompilation compilation)
    {
        using MemoryStream assembly = new();
        compilation.Emit(assembly).Diagnostics.Where(IsError).ShouldBeNone();
        return Assembly.Load(assembly.ToArray());
    }

    private static string FolderOf(int number) => Path.Combine(Path.GetTempPath(), $"resilience-block-{Environment.ProcessId}-{number}").Replace('\\', '/');

    private static void Remove(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (IOException)
        {
            // The block has left a file open, which not every system lets go.
        }
    }
}

using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Resilience.Migration;

namespace Resilience.Rehearsal;

/// <summary>How many places use Polly, and what becomes of them. A place is a call of a method of theirs, something that is made, or a type in a
/// declaration, a catch or a test; values of enumerations and members of options belong to the place around them.</summary>
internal sealed class Tally
{
    private int _projects, _files, _sites, _moved, _commented, _held, _errors;

    internal void Add(CSharpCompilation compilation, int files, Dictionary<string, int> reasons, TextWriter list)
    {
        MovePlan plan = MovePlan.Of(compilation, static (c, t) => c.GetSemanticModel(t), default);
        _projects++;
        _files += files;
        foreach (Unit unit in plan.Units)
        {
            int sites = unit.Seen.Count(static s => IsSite(s.Symbol));
            if (!plan.Moves(unit) && (sites > 0 || unit.Problem is not null)) list.WriteLine(LineOf(unit, sites, plan));
            _sites += sites;
            if (plan.Moves(unit)) _moved += sites;
            else if (unit.Problem is not { } problem) _held += sites;
            else
            {
                _commented += sites;
                if (sites > 0) reasons[problem] = reasons.GetValueOrDefault(problem) + sites;
            }
        }

        Compilation after = plan.Changed.Aggregate((Compilation)compilation, static (c, change) =>
            c.ReplaceSyntaxTree(change.Key, change.Key.WithRootAndOptions(change.Value, change.Key.Options)));
        int errors = CountErrors(after) - CountErrors(compilation);
        _errors += Math.Max(0, errors);
        if (errors > 0) list.WriteLine($"{errors} new errors:\n{ErrorsOf(compilation, after)}");
    }

    /// <summary>Where, how many places, in which group, and why it stays.</summary>
    private static string LineOf(Unit unit, int sites, MovePlan plan)
    {
        FileLinePositionSpan at = unit.Node.GetLocation().GetLineSpan();
        string names = string.Join(" ", unit.Seen.Where(static s => IsSite(s.Symbol)).Select(static s => s.Symbol.Name == ".ctor"
            ? "new " + s.Symbol.ContainingType.Name : s.Symbol.Name));
        return $"{sites}\t{plan.GroupOf(unit)}\t{at.Path}:{at.StartLinePosition.Line + 1}\t{unit.Problem ?? "held"}\t{names}\t{unit.Fault}";
    }

    internal void Add(Tally other)
    {
        _projects += other._projects;
        _files += other._files;
        _sites += other._sites;
        _moved += other._moved;
        _commented += other._commented;
        _held += other._held;
        _errors += other._errors;
    }

    internal string ToRow(string name) => string.Create(
        CultureInfo.InvariantCulture,
        $"| {name} | {_projects} | {_files} | {_sites} | {_moved} ({(_sites == 0 ? 0 : 100.0 * _moved / _sites):0} %) | {_commented} | {_held} | {_errors} |");

    private static bool IsSite(ISymbol symbol) => symbol is IMethodSymbol or INamedTypeSymbol { TypeKind: not TypeKind.Enum };

    private static string ErrorsOf(Compilation before, Compilation after)
    {
        HashSet<string> known = [.. before.GetDiagnostics().Select(static d => d.GetMessage(CultureInfo.InvariantCulture))];
        return string.Join("\n", after.GetDiagnostics().Where(d =>
            d.Severity == DiagnosticSeverity.Error && !known.Contains(d.GetMessage(CultureInfo.InvariantCulture))));
    }

    private static int CountErrors(Compilation compilation) => compilation.GetDiagnostics().Count(static d => d.Severity == DiagnosticSeverity.Error);
}

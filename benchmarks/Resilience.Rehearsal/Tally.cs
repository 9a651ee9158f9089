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

    internal void Add(CSharpCompilation compilation, int files, Dictionary<string, int> reasons)
    {
        MovePlan plan = MovePlan.Of(compilation, static (c, t) => c.GetSemanticModel(t), default);
        _projects++;
        _files += files;
        foreach (Unit unit in plan.Units)
        {
            int sites = unit.Seen.Count(static s => IsSite(s.Symbol));
            _sites += sites;
            if (plan.Moves(unit)) _moved += sites;
            else if (unit.Problem is not { } problem) _held += sites;
            else
            {
                _commented += sites;
                reasons[problem] = reasons.GetValueOrDefault(problem) + sites;
            }
        }

        Compilation after = plan.Changed.Aggregate((Compilation)compilation, static (c, change) =>
            c.ReplaceSyntaxTree(change.Key, change.Key.WithRootAndOptions(change.Value, change.Key.Options)));
        _errors += Math.Max(0, CountErrors(after) - CountErrors(compilation));
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

    private static int CountErrors(Compilation compilation) => compilation.GetDiagnostics().Count(static d => d.Severity == DiagnosticSeverity.Error);
}

using System.Globalization;
using System.Text;
using ScottPlot;

namespace Resilience.Evidence;

/// <summary>One page of evidence: text, tables, and pictures beside it.</summary>
internal sealed class Page(string folder, string name, string title)
{
    private readonly StringBuilder _text = new(
        $"# {title}\n\nMade by `dotnet run --project benchmarks/Resilience.Evidence -c Release`; the same seeds make the same page, byte for byte.\n\n");

    internal Page Say(string text)
    {
        _text.Append(text).Append("\n\n");
        return this;
    }

    internal Page Table(string[] heads, IEnumerable<object[]> rows)
    {
        _text.Append("| ").AppendJoin(" | ", heads).Append(" |\n|").Insert(_text.Length, "---|", heads.Length).Append('\n');
        foreach (object[] row in rows)
            _text.Append("| ").AppendJoin(" | ", row.Select(c => string.Format(CultureInfo.InvariantCulture, c is double ? "{0:#,0.##}" : "{0:#,0}", c)))
                .Append(" |\n");
        _text.Append('\n');
        return this;
    }

    /// <summary>Lines over x; a logarithmic axis is drawn by its exponents.</summary>
    internal Page Picture(string file, string caption, string x, string y, IEnumerable<(string Name, double[] X, double[] Y)> lines, bool isLogarithmic = false,
        double? max = null)
    {
        Plot plot = new();
        plot.Title(caption);
        plot.XLabel(x);
        plot.YLabel(y);
        foreach ((string line, double[] xs, double[] ys) in lines)
        {
            ScottPlot.Plottables.Scatter drawn = plot.Add.Scatter(xs, isLogarithmic ? [.. ys.Select(v => Math.Log10(Math.Max(v, 0.1)))] : ys);
            drawn.LegendText = line;
            drawn.MarkerSize = xs.Length > 40 ? 0 : 5;
            drawn.LineWidth = 2;
        }

        if (isLogarithmic)
        {
            plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic
            {
                LabelFormatter = e => Math.Pow(10, e).ToString("#,0.##", CultureInfo.InvariantCulture),
                IntegerTicksOnly = true,
            };
        }
        else
        {
            plot.Axes.SetLimitsY(0, max ?? (plot.Axes.GetLimits().Top * 1.05));
        }

        plot.ShowLegend(Edge.Bottom);
        string svg = plot.GetSvgXml(760, 460).Replace("\r", "", StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, file), svg);
        _text.Append(CultureInfo.InvariantCulture, $"![{caption}]({file})\n\n");
        return this;
    }

    internal void Save() => File.WriteAllText(Path.Combine(folder, name), _text.ToString().TrimEnd('\n') + "\n");
}

using System.Globalization;
using System.Net;
using System.Text;

namespace Resilience.StormLab;

/// <summary>A picture over time, drawn as SVG: lines or areas, the trouble shaded, and bands of states below. No picture names a colour: the style
/// sheet gives each class one for light and one for dark.</summary>
internal sealed class Chart
{
    private const double Left = 62, Right = 16, Bottom = 40, BandHeight = 20, BandGap = 6, CharWidth = 6.7, LegendRow = 18;

    private readonly List<(string Name, string Style, IReadOnlyList<double> Values)> _lines = [];
    private readonly List<(string Name, string Style, double[] From, double[] To)> _areas = [];
    private readonly List<(string Style, IReadOnlyList<(string Name, string Style, IReadOnlyList<double> Shares)> States)> _bands = [];
    private readonly List<(string Name, double Value)> _marks = [];

    internal required string Title { get; init; }

    /// <summary>What the vertical axis counts, and in which unit.</summary>
    internal required string Unit { get; init; }

    /// <summary>The length of the run in seconds.</summary>
    internal required double Seconds { get; init; }

    /// <summary>How many seconds one value stands for.</summary>
    internal double SecondsAPoint { get; init; } = 1;

    /// <summary>When the trouble was.</summary>
    internal required IReadOnlyList<(double From, double Until)> Shaded { get; init; }

    /// <summary>The upper end of the vertical axis; null: what is drawn decides.</summary>
    internal double? Max { get; init; }

    /// <summary>Milliseconds on a logarithmic axis.</summary>
    internal bool IsLogarithmic { get; init; }

    internal double Height { get; init; } = 230;

    /// <summary>One value for each point; NaN leaves a gap.</summary>
    internal Chart Line(string name, string style, IEnumerable<double> values)
    {
        _lines.Add((name, style, [.. values]));
        return this;
    }

    /// <summary>Stands on what was added before.</summary>
    internal Chart Area(string name, string style, IEnumerable<double> values)
    {
        double[] to = [.. values], from = _areas.Count > 0 ? _areas[^1].To : new double[to.Length];
        _areas.Add((name, style, from, [.. to.Select((v, i) => v + from[i])]));
        return this;
    }

    /// <summary>Shares of a whole as a band below the axis, marked at its left with a line of a style.</summary>
    internal Chart Band(string style, params IReadOnlyList<(string Name, string Style, IReadOnlyList<double> Shares)> states)
    {
        _bands.Add((style, states));
        return this;
    }

    /// <summary>A level to compare with.</summary>
    internal Chart Mark(string name, double value)
    {
        _marks.Add((name, value));
        return this;
    }

    /// <summary>Draws it. On its own it carries the style sheet; in a page that has it, it does not.</summary>
    internal string Draw(double width, string? styleSheet)
    {
        StringBuilder legend = new();
        double top = Legend(legend, width), bands = _bands.Count == 0 ? 0 : (_bands.Count * (BandHeight + BandGap)) + LegendRow + 6;
        (double, double) range = IsLogarithmic ? (Math.Log10(Min()), Math.Log10(Highest())) : (0, Highest());
        Frame frame = new(Left, top, width - Left - Right, Height, Seconds, range, IsLogarithmic);
        double height = top + Height + Bottom + bands;
        StringBuilder svg = new();
        svg.Append($"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"storm\" viewBox=\"0 0 {N(width)} {N(height)}\" ");
        if (styleSheet is not null) svg.Append($"width=\"{N(width)}\" height=\"{N(height)}\" ");
        svg.Append($"role=\"img\" aria-label=\"{Escape(Describe())}\">\n");
        if (styleSheet is not null) svg.Append("<style>\n").Append(styleSheet.ReplaceLineEndings("\n")).Append("</style>\n");
        svg.Append($"<rect class=\"paper\" width=\"{N(width)}\" height=\"{N(height)}\"/>\n");
        svg.Append($"<text class=\"title\" x=\"12\" y=\"22\">{Escape(Title)}</text>\n").Append(legend);
        Shade(svg, frame, bands > 0 ? height - 4 : frame.Bottom);
        Axes(svg, frame);
        Data(svg, frame);
        Bands(svg, frame, frame.Bottom + Bottom);
        return svg.Append("</svg>\n").ToString();
    }

    private string Describe() =>
        $"{Title}, {Unit}, over {N(Seconds)} seconds: {string.Join(", ", _areas.Select(a => a.Name).Concat(_lines.Select(l => l.Name)))}";

    private double Highest()
    {
        IEnumerable<double> drawn = _lines.SelectMany(l => l.Values).Concat(_areas.SelectMany(a => a.To)).Concat(_marks.Select(m => m.Value));
        double max = Max ?? drawn.Where(double.IsFinite).DefaultIfEmpty(1).Max();
        return IsLogarithmic ? Math.Pow(10, Math.Ceiling(Math.Log10(Math.Max(max, Min() * 10)))) : Math.Max(1, max * 1.06);
    }

    private double Min()
    {
        double min = _lines.SelectMany(l => l.Values).Where(v => v > 0).DefaultIfEmpty(1).Min();
        return Math.Pow(10, Math.Floor(Math.Log10(min)));
    }

    private double Legend(StringBuilder svg, double width)
    {
        double x = 12, y = 42;
        foreach ((string name, string style, bool isLine) in _areas.Select(a => (a.Name, a.Style, false))
            .Concat(_lines.Select(l => (l.Name, "line " + l.Style, true)))
            .Concat(_marks.Select(m => (m.Name, "mark", true))))
        {
            double needed = 30 + (name.Length * CharWidth);
            if (x > 12 && x + needed > width - 4) (x, y) = (12, y + LegendRow);
            svg.Append(isLine
                ? $"<path class=\"{style}\" d=\"M{N(x)} {N(y - 4)}h22\"/>"
                : $"<rect class=\"{style}\" x=\"{N(x)}\" y=\"{N(y - 10)}\" width=\"22\" height=\"11\"/>");
            svg.Append($"<text x=\"{N(x + 27)}\" y=\"{N(y)}\">{Escape(name)}</text>\n");
            x += needed + 12;
        }

        return y + 28;
    }

    private void Shade(StringBuilder svg, Frame frame, double bottom)
    {
        foreach ((double from, double until) in Shaded)
        {
            double left = frame.X(from), right = frame.X(until);
            svg.Append($"<rect class=\"shade\" x=\"{N(left)}\" y=\"{N(frame.Top)}\" width=\"{N(right - left)}\" height=\"{N(bottom - frame.Top)}\"/>\n");
        }
    }

    private void Axes(StringBuilder svg, Frame frame)
    {
        svg.Append($"<text x=\"12\" y=\"{N(frame.Top - 9)}\">{Escape(Unit)}</text>\n");
        foreach (double value in IsLogarithmic ? Decades(frame) : Steps(frame.Range.Max, 5))
        {
            string label = !IsLogarithmic ? Short(value) : value < 1000 ? $"{N(value)} ms" : $"{N(value / 1000)} s";
            svg.Append($"<path class=\"grid\" d=\"M{N(frame.Left)} {N(frame.Y(value))}h{N(frame.Width)}\"/>");
            svg.Append($"<text text-anchor=\"end\" x=\"{N(frame.Left - 7)}\" y=\"{N(frame.Y(value) + 4)}\">{label}</text>\n");
        }

        double step = Step(Seconds, frame.Width > 450 ? 9 : 5);
        for (double second = 0; second <= Seconds; second += step)
        {
            svg.Append($"<path class=\"axis\" d=\"M{N(frame.X(second))} {N(frame.Bottom)}v4\"/>");
            svg.Append($"<text text-anchor=\"middle\" x=\"{N(frame.X(second))}\" y=\"{N(frame.Bottom + 17)}\">{N(second)}</text>\n");
        }

        svg.Append($"<text text-anchor=\"end\" x=\"{N(frame.Left + frame.Width)}\" y=\"{N(frame.Bottom + 32)}\">time, s (shaded: the trouble)</text>\n");
        svg.Append($"<path class=\"axis\" d=\"M{N(frame.Left)} {N(frame.Bottom)}h{N(frame.Width)}\"/>\n");
    }

    private void Data(StringBuilder svg, Frame frame)
    {
        foreach ((_, string style, double[] from, double[] to) in _areas)
        {
            svg.Append($"<path class=\"{style}\" d=\"M");
            svg.AppendJoin('L', Enumerable.Range(0, to.Length).Select(i => frame.Point((i + 0.5) * SecondsAPoint, to[i])));
            svg.Append('L').AppendJoin('L', Enumerable.Range(0, from.Length).Reverse().Select(i => frame.Point((i + 0.5) * SecondsAPoint, from[i])));
            svg.Append("Z\"/>\n");
        }

        foreach ((_, double value) in _marks) svg.Append($"<path class=\"mark\" d=\"M{N(frame.Left)} {N(frame.Y(value))}h{N(frame.Width)}\"/>\n");
        foreach ((_, string style, IReadOnlyList<double> values) in _lines)
        {
            svg.Append($"<path class=\"line {style}\" d=\"");
            bool isDrawing = false;
            for (int i = 0; i < values.Count; i++)
            {
                // A single second between two gaps is drawn as a short dash, so that it can be seen.
                bool isValue = double.IsFinite(values[i]);
                if (isValue && !isDrawing) svg.Append('M').Append(frame.Point((i + 0.2) * SecondsAPoint, values[i]));
                if (isValue) svg.Append('L').Append(frame.Point((i + 0.5) * SecondsAPoint, values[i]));
                isDrawing = isValue;
            }

            svg.Append("\"/>\n");
        }
    }

    private void Bands(StringBuilder svg, Frame frame, double top)
    {
        if (_bands.Count == 0) return;
        double x = frame.Left;
        svg.Append($"<text x=\"12\" y=\"{N(top + 10)}\">circuits</text>");
        foreach ((string name, string style, _) in _bands[0].States.Reverse())
        {
            svg.Append($"<rect class=\"{style}\" x=\"{N(x)}\" y=\"{N(top)}\" width=\"14\" height=\"11\"/>");
            svg.Append($"<text x=\"{N(x + 19)}\" y=\"{N(top + 10)}\">{Escape(name)}</text>\n");
            x += 34 + (name.Length * CharWidth);
        }

        double y = top + LegendRow;
        foreach ((string line, IReadOnlyList<(string Name, string Style, IReadOnlyList<double> Shares)> states) in _bands)
        {
            svg.Append($"<path class=\"line {line}\" d=\"M12 {N(y + (BandHeight / 2))}h{N(frame.Left - 22)}\"/>\n");
            Band(svg, frame, y, states);
            y += BandHeight + BandGap;
        }
    }

    private void Band(StringBuilder svg, Frame frame, double y, IReadOnlyList<(string Name, string Style, IReadOnlyList<double> Shares)> states)
    {
        double[] below = new double[states[0].Shares.Count];
        foreach ((_, string style, IReadOnlyList<double> shares) in states)
        {
            svg.Append($"<path class=\"{style}\" d=\"");
            for (int i = 0; i < shares.Count;)
            {
                // Seconds that are alike become one rectangle.
                int next = i + 1;
                while (next < shares.Count && shares[next] == shares[i] && below[next] == below[i]) next++;
                if (shares[i] > 0)
                {
                    double bottom = y + (BandHeight * (1 - below[i])), left = frame.X(i * SecondsAPoint), right = frame.X(next * SecondsAPoint);
                    svg.Append($"M{N(left)} {N(bottom)}H{N(right)}v{N(-BandHeight * shares[i])}H{N(left)}Z");
                }

                for (int j = i; j < next; j++) below[j] += shares[j];
                i = next;
            }

            svg.Append("\"/>\n");
        }
    }

    private static IEnumerable<double> Decades(Frame frame)
    {
        for (double e = Math.Ceiling(frame.Range.Min); e <= frame.Range.Max + 0.001; e++) yield return Math.Pow(10, e);
    }

    private static IEnumerable<double> Steps(double max, int count)
    {
        double step = Step(max, count);
        for (double value = 0; value <= max; value += step) yield return value;
    }

    private static double Step(double max, int count)
    {
        double rough = max / count, size = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        return size * new[] { 1, 2, 5, 10 }.First(f => f * size >= rough * 0.999);
    }

    private static string Short(double value) => value.ToString(value >= 10_000 ? "#,0" : "0.##", CultureInfo.InvariantCulture);

    private static string N(double value) => Math.Round(value, 1).ToString("0.#", CultureInfo.InvariantCulture);

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private sealed record Frame(double Left, double Top, double Width, double Height, double Seconds, (double Min, double Max) Range, bool IsLogarithmic)
    {
        internal double Bottom => Top + Height;

        internal double X(double second) => Left + (Width * Math.Clamp(second, 0, Seconds) / Seconds);

        internal double Y(double value)
        {
            double at = IsLogarithmic ? Math.Log10(Math.Max(value, 1e-9)) : value;
            return Top + (Height * (1 - Math.Clamp((at - Range.Min) / (Range.Max - Range.Min), 0, 1)));
        }

        internal string Point(double second, double value) => $"{N(X(second))} {N(Y(value))}";
    }
}

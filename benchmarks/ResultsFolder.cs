namespace Resilience.Benchmarks;

/// <summary>Where reports are kept: <c>benchmarks/results</c> of the checkout in which the program was built. Linked into each program that writes
/// one.</summary>
internal static class ResultsFolder
{
    /// <summary>The path; that of the working folder where there is no checkout around the program.</summary>
    internal static string Path => System.IO.Path.Combine(Checkout ?? ".", "benchmarks", "results");

    /// <summary>The root of the checkout; null when there is none.</summary>
    internal static string? Checkout
    {
        get
        {
            DirectoryInfo? folder = new(AppContext.BaseDirectory);
            while (folder is not null && !File.Exists(System.IO.Path.Combine(folder.FullName, "Resilience.sln"))) folder = folder.Parent;
            return folder?.FullName;
        }
    }
}

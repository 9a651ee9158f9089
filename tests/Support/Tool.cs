namespace Resilience.Tests.Support;

/// <summary>The programs and packages that some tests need and a machine may not have.</summary>
internal static class Tool
{
    internal const string Bash = "bash";
    internal const string Chromium = "chromium";
    internal const string Docfx = "docfx";
    internal const string Garnet = "garnet-server";
    internal const string Linker = "linker";
    internal const string MariaDb = "mariadb-server";
    internal const string MicrosoftResilience = "microsoft.extensions.http.resilience";
    internal const string PgBouncer = "pgbouncer";
    internal const string PostgreSql = "postgresql";
    internal const string ProcessFiles = "process-files";
    internal const string Promtool = "promtool";
    internal const string Redis = "redis-server";
    internal const string Spin = "spin";
    internal const string Valgrind = "valgrind";

    /// <summary>Where packages are once they have been restored.</summary>
    internal static string PackagesFolder { get; } = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
        ? folder
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    private static readonly Dictionary<string, (Func<bool> IsPresent, string Install)> Known = new()
    {
        [Bash] = (() => !OperatingSystem.IsWindows() && IsOnPath("bash"), "a POSIX shell"),
        [Chromium] = (() => File.Exists(Environment.GetEnvironmentVariable("RESILIENCE_CHROMIUM") ?? "/usr/bin/chromium"), "Debian's package 'chromium'"),
        [Docfx] = (() => Directory.Exists(Path.Combine(PackagesFolder, Docfx)), "the .NET tools of the repository (dotnet tool restore)"),
        [Garnet] = (() => GarnetServer is not null, "the .NET tool 'garnet-server' (dotnet tool install --global garnet-server)"),
        [Linker] = (HasLinker, "Debian's packages 'gcc' and 'zlib1g-dev'"),
        [MariaDb] = (() => (IsOnPath("mariadbd") || File.Exists("/usr/sbin/mariadbd")) && IsOnPath("mariadb-install-db"), "Debian's package 'mariadb-server'"),
        [MicrosoftResilience] = (() => Directory.Exists(Path.Combine(PackagesFolder, MicrosoftResilience)), "its packages (dotnet restore Resilience.sln)"),
        [PgBouncer] = (() => IsOnPath("pgbouncer") || File.Exists("/usr/sbin/pgbouncer"), "Debian's package 'pgbouncer'"),
        [PostgreSql] = (() => HasPostgres(), "Debian's package 'postgresql'"),
        [ProcessFiles] = (() => Directory.Exists("/proc/self/fd"), "Linux, which shows the handles of a process as files"),
        [Promtool] = (() => IsOnPath("promtool"), "Debian's package 'prometheus'"),
        [Redis] = (() => IsOnPath("redis-server"), "Debian's package 'redis-server'"),
        [Spin] = (() => IsOnPath("spin") && IsOnPath("gcc"), "Debian's packages 'spin' and 'gcc'"),
        [Valgrind] = (() => IsOnPath("valgrind") && HasLinker(), "Debian's packages 'valgrind', 'libc6-dbg', 'gcc' and 'zlib1g-dev'"),
    };

    internal static IReadOnlyCollection<string> Names => Known.Keys;

    /// <summary>On the path, or among the user's .NET tools; null where it is missing.</summary>
    internal static string? GarnetServer { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Append(Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".dotnet", "tools"))
        .Select(folder => Path.Combine(folder, "garnet-server")).FirstOrDefault(File.Exists);

    /// <summary>Null when the tool is there; otherwise what is missing and how it comes.</summary>
    internal static string? WhyMissing(string name)
    {
        if (!Known.TryGetValue(name, out (Func<bool> IsPresent, string Install) tool))
            throw new InvalidOperationException($"No tool '{name}' is known; known are: {string.Join(", ", Names.Order(StringComparer.Ordinal))}.");
        return tool.IsPresent() ? null : $"needs {name}, which this machine does not have: install {tool.Install}";
    }

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Any(folder => File.Exists(Path.Combine(folder, program)));

    private static bool HasLinker() => (IsOnPath("clang") || IsOnPath("gcc")) && (!OperatingSystem.IsLinux() || File.Exists("/usr/include/zlib.h"));

    private static bool HasPostgres() =>
        IsOnPath("initdb")
        || (Directory.Exists("/usr/lib/postgresql")
            && Directory.EnumerateDirectories("/usr/lib/postgresql").Any(version => File.Exists(Path.Combine(version, "bin", "initdb"))));
}

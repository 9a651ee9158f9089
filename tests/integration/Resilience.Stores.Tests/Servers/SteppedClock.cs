using System.Globalization;

namespace Resilience.StoreTests.Servers;

/// <summary>The wall clock of a server, which a test sets; its monotonic clock goes on as ever. A library that is loaded before all others adds to what
/// the kernel says.</summary>
internal sealed class SteppedClock : IDisposable
{
    private const string Source = """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>

        static long ahead(void) {
          int before = errno;
          char text[32] = {0};
          const char *name = getenv("STEPPED_CLOCK");
          int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
          if (file >= 0) { if (read(file, text, sizeof text - 1) < 0) text[0] = 0; close(file); }
          errno = before;
          return atol(text);
        }
        int clock_gettime(clockid_t clock, struct timespec *now) {
          int answer = (int)syscall(SYS_clock_gettime, clock, now);
          if (answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead();
          return answer;
        }
        int gettimeofday(void *asked, void *zone) {
          struct timespec now;
          long *told = asked;
          clock_gettime(CLOCK_REALTIME, &now);
          if (told) { told[0] = now.tv_sec; told[1] = now.tv_nsec / 1000; }
          return 0;
        }
        time_t time(time_t *told) {
          struct timespec now;
          clock_gettime(CLOCK_REALTIME, &now);
          if (told) *told = now.tv_sec;
          return now.tv_sec;
        }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("resilience-clock").FullName;

    internal SteppedClock()
    {
        if (!OperatingSystem.IsWindows()) // the server may run as another user
            File.SetUnixFileMode(_folder, File.GetUnixFileMode(_folder) | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        string source = Path.Combine(_folder, "clock.c");
        File.WriteAllText(source, Source);
        ServerProcess.Run("gcc", "-shared", "-fPIC", "-O1", "-o", Library, source);
        Set(TimeSpan.Zero);
    }

    /// <summary>What stands before the command of the server.</summary>
    internal string[] Before => ["env", $"LD_PRELOAD={Library}", $"STEPPED_CLOCK={Offset}"];

    private string Library => Path.Combine(_folder, "clock.so");

    private string Offset => Path.Combine(_folder, "offset");

    /// <summary>From now on the clock is that far from the true one.</summary>
    internal void Set(TimeSpan offset)
    {
        string next = Offset + ".next";
        File.WriteAllText(next, ((long)offset.TotalSeconds).ToString(CultureInfo.InvariantCulture));
        File.Move(next, Offset, overwrite: true); // never half written
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

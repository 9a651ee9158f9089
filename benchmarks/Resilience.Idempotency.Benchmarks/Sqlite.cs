using System.Diagnostics;

namespace Resilience.Idempotency.Benchmarks;

internal static class Sqlite
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    internal static async Task RunAsync(TextWriter report)
    {
        Console.WriteLine("SQLite");
        report.WriteLine();
        report.WriteLine("## SQLite");
        report.WriteLine();
        report.WriteLine("A file on a disk, every commit told to the disk (`synchronous=FULL`). A key is a claim and a completion, each acknowledged. Aim: 10,000 keys a second, grouped.");
        report.WriteLine();
        report.WriteLine("| callers at once | keys a second |");
        report.WriteLine("|---|---|");
        DirectoryInfo folder = Directory.CreateDirectory(Path.Combine(Environment.CurrentDirectory, "artifacts", "idempotency-benchmark"));
        string file = Path.Combine(folder.FullName, "keys.db");
        long keys = 0;
        await using (SqliteIdempotencyStore store = new($"Data Source={file}"))
        {
            await KeysAsync(store, 8, 200, 100);
            foreach ((int callers, int each) in new[] { (1, 500), (8, 300), (64, 300), (256, 150), (1024, 60) })
            {
                double rate = await KeysAsync(store, callers, each, 100);
                keys += callers * each;
                report.WriteLine($"| {callers} | {rate:#,0} |");
            }
        }

        keys += 8 * 200;
        report.WriteLine();
        report.WriteLine($"{new FileInfo(file).Length / (double)keys:0} bytes of the file for each key with a payload of 100 bytes.");
        folder.Delete(recursive: true);
    }

    /// <returns>Keys a second.</returns>
    internal static async Task<double> KeysAsync(IIdempotencyStore store, int callers, int each, int payload)
    {
        byte[] bytes = new byte[payload];
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < each; i++)
            {
                IdempotencyId id = NewId();
                AcquireResult answer = await store.TryAcquireAsync(Request(id));
                await store.CompleteAsync(id, answer.Fence, IdempotencyCompletion.Completed, bytes, Hour);
            }
        })));
        return callers * each / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    internal static IdempotencyId NewId()
    {
        Span<byte> bytes = stackalloc byte[32];
        Random.Shared.NextBytes(bytes);
        return IdempotencyId.FromBytes(bytes);
    }

    internal static AcquireRequest Request(IdempotencyId id) => new() { Id = id, Nonce = Guid.NewGuid(), Lease = Hour, Retention = Hour, MaxAttempts = 5 };
}

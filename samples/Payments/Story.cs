using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Resilience.PaymentsSample;

/// <summary>Tells the story twice and checks the ledger.</summary>
internal static class Story
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    internal static async Task<int> TellAsync(Settings settings)
    {
        Console.WriteLine($"A shop, a payment service, a network that loses every fourth reply. {Shop.Orders} customers order one thing each.");
        Console.WriteLine("Who sees an error clicks again. The bank has a ledger: what is in it was paid.");
        Console.WriteLine();
        int twiceWithout = await RunAsync(settings, usesKeys: false), twiceWith = await RunAsync(settings, usesKeys: true);
        Console.WriteLine(twiceWith == 0 ? "With keys every order was charged once." : $"WRONG: with keys, {twiceWith} orders were not charged exactly once.");
        return twiceWith == 0 && twiceWithout > 0 ? 0 : 1;
    }

    /// <returns>How many orders were not charged exactly once.</returns>
    private static async Task<int> RunAsync(Settings settings, bool usesKeys)
    {
        Console.WriteLine(
            usesKeys
                ? $"2. With idempotency keys (the number of the order is the key; the service remembers keys in: {settings.Store})"
                : "1. Without idempotency keys");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("resilience-payments");
        int port = FreePort(), kills = 0;
        using LossyNetwork network = new(port);
        string[] common = settings.With(("folder", folder.FullName), ("keys", usesKeys ? "yes" : "no"));
        Process StartService(int killAfter) => Start(["service", .. common, "--port", $"{port}", "--kill-after", $"{killAfter}"]);

        Process service = StartService(killAfter: 8);
        await UntilListeningAsync(port, service);
        using Process shop = Start(["shop", .. common, "--port", $"{network.Port}"]);
        using CancellationTokenSource limit = new(Patience);
        while (!shop.HasExited)
        {
            await Task.WhenAny(shop.WaitForExitAsync(limit.Token), service.WaitForExitAsync(limit.Token));
            limit.Token.ThrowIfCancellationRequested();
            if (!service.HasExited) continue;

            kills++;
            Console.WriteLine("   The payment service was killed right after it had charged a customer. It is started again.");
            service.Dispose();
            service = StartService(killAfter: kills == 1 ? 10 : 0);
        }

        service.Kill();
        service.WaitForExit();
        service.Dispose();
        int wrong = Report(new Bank(folder.FullName).Ledger(), usesKeys, network.RepliesLost, kills) + (shop.ExitCode == 0 ? 0 : 1);
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        folder.Delete(recursive: true);
        return wrong;
    }

    private static int Report(IReadOnlyDictionary<string, (int Charges, long Cents, int Asked)> ledger, bool usesKeys, int lost, int kills)
    {
        int more = ledger.Count(o => o.Value.Charges > 1), missing = Shop.Orders - ledger.Count;
        long tooMuch = ledger.Values.Sum(o => o.Cents - (o.Cents / o.Charges));
        Console.WriteLine($"   {lost} replies were lost, the service was killed {kills} times.");
        Console.WriteLine(
            $"   The ledger: {ledger.Values.Sum(o => o.Charges)} charges for {Shop.Orders} orders; {more} orders charged more than once, {missing} not at all; "
            + $"customers paid {tooMuch / 100.0:0.00} too much.");
        int again = ledger.Values.Sum(o => o.Asked - o.Charges);
        if (usesKeys)
        {
            Console.WriteLine(
                $"   {again} times the bank was asked for a charge that it had made: the service was killed before it could remember it, and the next one sent "
                + "the same key along.");
        }

        foreach ((string order, (int charges, _, _)) in ledger.Where(o => o.Value.Charges > 1).OrderBy(o => o.Key).Take(5))
            Console.WriteLine($"      {order}: {charges} charges");
        Console.WriteLine();
        return more + missing;
    }

    private static Process Start(string[] arguments)
    {
        string host = Environment.ProcessPath!;
        string[] all = Path.GetFileNameWithoutExtension(host) == "dotnet" ? [typeof(Story).Assembly.Location, .. arguments] : arguments;
        return Process.Start(new ProcessStartInfo(host, all))!;
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task UntilListeningAsync(int port, Process service)
    {
        using CancellationTokenSource limit = new(Patience);
        while (true)
        {
            try
            {
                using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(IPAddress.Loopback, port, limit.Token);
                return;
            }
            catch (SocketException)
            {
                if (service.HasExited) throw new InvalidOperationException("The payment service did not start: see above why.");
                await Task.Delay(50, limit.Token);
            }
        }
    }
}

using System.Globalization;
using Resilience.Starved;

// NAME [runtime-timers]   starves this process's thread pool, lets the matter of that name become due ("all": one after the other), and tells what came
//                         first: ours, or a timer of the runtime that was armed 50 ms later. Exits with the number of matters in which ours did not.
if (args.Contains("runtime-timers")) AppContext.SetSwitch("Resilience.UseRuntimeTimers", true);
using Backlog backlog = new();
int late = 0;
foreach ((string name, Func<Order, Task> matter) in Matters.All)
{
    if (name != args[0] && (args[0] != "all" || name == Matters.Planted)) continue;
    if (!await IsFirstAsync(name, matter).ConfigureAwait(false)) late++;
}

return late;

// A busy machine may hold up any thread for longer than the margin, ours or the runtime's. What waits behind the backlog loses every round, by seconds.
static async Task<bool> IsFirstAsync(string name, Func<Order, Task> matter)
{
    Order order = new();
    for (int round = 0; round < 8 && !(order.IsFarBehind && round > 1); round++)
    {
        order = new();
        await matter(order).ConfigureAwait(false);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {order}"));
        if (order.IsOursFirst) return true;
    }

    Console.WriteLine($"{name}: LATE");
    return false;
}

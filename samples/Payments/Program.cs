using Resilience.PaymentsSample;

// You click "Buy Now", the payment goes through, the reply is lost, the page says "error, try again".
//
// A shop and a payment service, two processes, with a network between them that loses replies, and a payment service that is killed
// right after it has charged a customer. Twice the same: without idempotency keys, and with them. It ends by itself.
//
//   dotnet run --project samples/Payments                                             keys in an SQLite file
//   dotnet run --project samples/Payments -- --store postgresql --connection "Host=…"
//   dotnet run --project samples/Payments -- --store redis --connection localhost:6379
//   dotnet run --project samples/Payments -- --help
if (args is ["--help" or "-h" or "help", ..])
{
    Console.WriteLine(Settings.Usage);
    return 0;
}

Settings settings;
try
{
    settings = Settings.From(args is ["service" or "shop", ..] ? args[1..] : args);
}
catch (ArgumentException wrong)
{
    Console.Error.WriteLine($"{wrong.Message}\n\n{Settings.Usage}");
    return 2;
}

return args switch
{
    ["service", ..] => await PaymentService.RunAsync(settings),
    ["shop", ..] => await Shop.RunAsync(settings),
    _ => await TellAsync(),
};

async Task<int> TellAsync()
{
    try
    {
        return await Story.TellAsync(settings);
    }
    catch (InvalidOperationException ended)
    {
        Console.Error.WriteLine(ended.Message);
        return 1;
    }
}

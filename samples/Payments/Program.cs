using Resilience.PaymentsSample;

// You click "Buy Now", the payment goes through, the reply is lost, the page says "error, try again".
//
// A shop and a payment service, two processes, with a network between them that loses replies, and a payment service that is killed
// right after it has charged somebody. Twice the same: without idempotency keys, and with them. It ends by itself.
//
//   dotnet run --project samples/Payments                                             keys in an SQLite file
//   dotnet run --project samples/Payments -- --store postgresql --connection "Host=…"
//   dotnet run --project samples/Payments -- --store redis --connection localhost:6379
return args switch
{
    ["service", .. string[] rest] => await PaymentService.RunAsync(Settings.From(rest)),
    ["shop", .. string[] rest] => await Shop.RunAsync(Settings.From(rest)),
    _ => await Story.TellAsync(Settings.From(args)),
};

using Resilience.ObservabilitySample;

// What a shop and a payment service look like from outside while replies are lost, prices are slow and the payments go down: one trace
// over both services with every attempt in it, logs as JSON that carry its id, metrics for Prometheus, and the live page.
//
//   dotnet run --project samples/Observability                    tells the story and ends by itself
//   dotnet run --project samples/Observability -- --serve         goes on with traffic and bad minutes, until Ctrl+C: for Prometheus and Grafana
//   dotnet run --project samples/Observability -- --out FOLDER    keeps spans, logs and metrics in that folder
return args switch
{
    ["shop", string port, string payments, string folder] => await ShopService.RunAsync(port, payments, folder),
    ["payments", string port, string folder] => await PaymentsService.RunAsync(port, folder),
    _ => Settings.TryRead(args, out Settings settings) ? await Story.TellAsync(settings) : 2,
};

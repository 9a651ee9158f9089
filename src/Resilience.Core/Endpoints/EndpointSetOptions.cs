using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>The endpoints of a service, and how one is chosen for each attempt.</summary>
public sealed class EndpointSetOptions : PolicyOptions
{
    private static readonly PolicySettings<EndpointSetOptions> Declared = PolicySettings.For<EndpointSetOptions>()
        .Texts(nameof(Addresses), static (o, addresses) => o.Read(addresses),
            "The addresses of the endpoints, such as http://10.0.0.1:8080.", "address", "addresses")
        .Choice(nameof(Choice), static o => o.Choice, static (o, v) => o.Choice = v,
            "How an endpoint is chosen: PowerOfTwo, RoundRobin or Ordered. Default PowerOfTwo.")
        .Span(nameof(DecayTime), static o => o.DecayTime, static (o, v) => o.DecayTime = v, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10),
            "How fast a slow answer is forgotten, from 100 ms to 10 min. Default 00:00:10.")
        .Flag(nameof(AnotherOnRetry), static (o, v) => o.AnotherOnRetry = v, "Whether a retry goes to another endpoint, where there is one. Default true.")
        .Flag(nameof(AnotherOnHedge), static (o, v) => o.AnotherOnHedge = v, "Whether a hedge goes to another endpoint, where there is one. Default true.")
        .Whole(nameof(SubsetSize), static o => o.SubsetSize, static (o, v) => o.SubsetSize = v, 2, 10_000,
            "How many of the endpoints this process uses, from 2 to 10000. Default: all.")
        .Group(nameof(Ejection), static o => o.Ejection ??= new(), PolicySettings.Of(new EndpointEjectionOptions()),
            "When an endpoint is left out for a time.");

    private List<string> _unread = []; // texts of a configuration that are no addresses

    /// <summary>The addresses of the endpoints, each once, in the order of <see cref="EndpointChoice.Ordered"/>. Default: none; then each call goes where it
    /// would go without this policy.</summary>
    public IList<Uri> Addresses { get; private set; } = [];

    /// <summary>How an endpoint is chosen. Default <see cref="EndpointChoice.PowerOfTwo"/>.</summary>
    public EndpointChoice Choice { get; set; }

    /// <summary>How fast a slow answer is forgotten: in this time its weight falls to 37 %. 100 ms to 10 min; default 10 s.</summary>
    public TimeSpan DecayTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether a retry goes to an endpoint that the call has not tried, where there is one. Default true.</summary>
    public bool AnotherOnRetry { get; set; } = true;

    /// <summary>Whether a hedge goes to an endpoint that the call has not tried, where there is one. Default true.</summary>
    public bool AnotherOnHedge { get; set; } = true;

    /// <summary>How many of the endpoints this process uses, 2 to 10,000: the same ones as long as the list stays, others in another process. Default null:
    /// all. Only for hundreds of endpoints, where each process would hold a connection to each.</summary>
    public int? SubsetSize { get; set; }

    /// <summary>When an endpoint is left out for a time. Null: never.</summary>
    public EndpointEjectionOptions? Ejection { get; set; } = new();

    /// <summary>Another measure of load for <see cref="EndpointChoice.PowerOfTwo"/>. Default null: latency times calls under way.</summary>
    public IEndpointLoad? Load { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "endpoints";

    /// <inheritdoc/>
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected internal override PolicyOptions CopyCore()
    {
        EndpointSetOptions copy = (EndpointSetOptions)base.CopyCore();
        copy.Addresses = [.. Addresses];
        copy._unread = [.. _unread];
        copy.Ejection = Ejection?.Copy();
        return copy;
    }

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Declared(this);
        foreach (string text in _unread) check.Require(false, nameof(Addresses), text, "an absolute address, such as http://10.0.0.1:8080");
        foreach (Uri? address in Addresses)
            check.Require(address is { IsAbsoluteUri: true }, nameof(Addresses), address, "an absolute address, such as http://10.0.0.1:8080");
        foreach (OptionProblem problem in Ejection?.FindProblems() ?? [])
            check.Require(false, $"{nameof(Ejection)}.{problem.Option}", problem.Value, problem.Allowed);
    }

    private void Read(IReadOnlyList<string> addresses)
    {
        (Addresses, _unread) = ([], []);
        foreach (string text in addresses)
        {
            if (Uri.TryCreate(text, UriKind.Absolute, out Uri? address)) Addresses.Add(address);
            else _unread.Add(text);
        }
    }
}

using Microsoft.AspNetCore.Http;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>What a server rejects when it has too much to do, and what it answers then. Read once, when the middleware is added.</summary>
public sealed class LoadSheddingOptions : PolicyOptions
{
    /// <summary>How much is taken on at once, and what is rejected when that is too much. Default: as <see cref="LoadShedderOptions"/> come.</summary>
    public LoadShedderOptions Shedder { get; set; } = new();

    /// <summary>The user or tenant of a request: those of one are served or rejected together for an hour, so that some users are served completely. Asked
    /// while signals reject a part of the requests. Take something that is not free to choose: a verified name, an API key, an address. Null, or a null from
    /// it (default): by chance. What it throws is counted, and means null.</summary>
    public Func<HttpContext, string?>? FairnessKey { get; set; }

    /// <summary>The status of a rejection, 400 to 599. Default 503: the server has too much to do. 429 says that the caller sends too much, and is for
    /// quotas.</summary>
    /// <remarks>A method of gRPC answers <c>UNAVAILABLE</c>.</remarks>
    public int StatusCode { get; set; } = StatusCodes.Status503ServiceUnavailable;

    /// <summary>The beginning of the <c>type</c> of problem answers; <c>overloaded</c> follows. Default <c>urn:resilience:overload:</c>.</summary>
    public string ProblemTypeBase { get; set; } = "urn:resilience:overload:";

    /// <inheritdoc/>
    protected override string Kind => "load-shedding";

    /// <inheritdoc/>
    protected override PolicyOptions CopyCore()
    {
        LoadSheddingOptions copy = (LoadSheddingOptions)base.CopyCore();
        copy.Shedder = Shedder?.Copy()!; // null is reported by the check
        return copy;
    }

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Number(nameof(StatusCode), StatusCode, 400, 599);
        check.Require(ProblemTypeBase is not null, nameof(ProblemTypeBase), null, "a URI, or the beginning of one");
        check.Require(Shedder is not null, nameof(Shedder), null, "options of a load shedder");
        foreach (OptionProblem problem in Shedder?.FindProblems() ?? []) check.Require(false, problem.Option, problem.Value, problem.Allowed);
    }
}

namespace Resilience.Extensibility;

/// <summary>Base of the options of a policy. They are read once, when the pipeline is built.</summary>
public abstract class PolicyOptions
{
    /// <summary>The name of the policy in telemetry, rejections and descriptions. Default: the kind of policy, numbered if there are several.</summary>
    public string? Name { get; set; }

    /// <summary>What kind of policy this is, in lower case ("retry"); the default name.</summary>
    protected internal abstract string Kind { get; }

    /// <summary>What of these options people can set outside of the code, in a section of configuration. Declared once for the type
    /// (<see cref="PolicySettings.For{TOptions}"/>). Default: nothing.</summary>
    protected internal virtual IReadOnlyList<PolicySetting> Settings => [];

    /// <summary>Reports each option that is out of range. By default that of the <see cref="Settings"/>; an override that says more begins with
    /// <see cref="OptionsCheck.Declared"/>.</summary>
    protected internal virtual void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Declared(this);
    }

    /// <summary>A copy that later changes of this object do not reach: what a pipeline is built of. Override where a property holds something mutable of
    /// its own (a list, other options), and copy that too.</summary>
    protected internal virtual PolicyOptions CopyCore() => (PolicyOptions)MemberwiseClone();

    /// <summary>Everything that is wrong with these options; empty when nothing is.</summary>
    public IReadOnlyList<OptionProblem> FindProblems()
    {
        OptionsCheck check = new(string.IsNullOrEmpty(Name) ? Kind : Name);
        check.Require(Name is null || Name.Length > 0, nameof(Name), "empty", "null or not empty");
        Check(check);
        return check.Problems;
    }

    /// <summary>Throws if anything is wrong, with everything that is wrong in one message.</summary>
    /// <exception cref="ResilienceOptionsException">At least one option is out of range.</exception>
    public void ThrowIfInvalid()
    {
        IReadOnlyList<OptionProblem> problems = FindProblems();
        if (problems.Count > 0) throw new ResilienceOptionsException(problems);
    }
}

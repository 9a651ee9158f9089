using Resilience.Extensibility;

namespace Resilience;

/// <summary>What is said outside of the code about the account of a policy: that there is no bound, or how it is set. An account set in code gives way to
/// it.</summary>
internal sealed class RetryBudgetChoice(RetryBudgetOptions? said)
{
    internal const string Text = "The account that retries are paid from.";

    private readonly RetryBudgetOptions _options = said?.Copy() ?? new(); // a copy: the options of the code may be shared with another policy
    private bool? _isUnlimited;
    private bool _isSet;

    internal static IReadOnlyList<PolicySetting> Settings { get; } = PolicySettings.For<RetryBudgetChoice>()
        .Flag("Unlimited", static (c, v) => c._isUnlimited = v, "True turns the budget off: every retry is granted.")
        .Of(static c => c.Changed(), PolicySettings.Of(new RetryBudgetOptions()));

    /// <summary>Account and options of the policy with what was set; where nothing was, they stay as they are.</summary>
    internal (RetryBudget? Budget, RetryBudgetOptions? Options) Over(RetryBudget? account) => _isUnlimited switch
    {
        true => (RetryBudget.Unlimited, said),
        null when !_isSet => (account, said),
        _ => (null, _options),
    };

    private RetryBudgetOptions Changed()
    {
        _isSet = true;
        return _options;
    }
}

using System.Text;

namespace Resilience;

/// <summary>What to put in the place of a failure or a rejection. Tried in this order: the last good value, the substitute call, the substitute
/// value.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
public sealed class FallbackOptions<T> : PolicyOptions
{
    private T? _value;

    /// <summary>Serves the last good value if it is not too old. Default null: off.</summary>
    public LastGood<T>? LastGood { get; set; }

    /// <summary>Makes a substitute: another source, a default computed from the failure. If it throws, the failure stands and the
    /// error is counted. Default null: off.</summary>
    public Func<FallbackArguments<T>, ValueTask<T>>? Call { get; set; }

    /// <summary>A fixed substitute. Setting it, also to null, turns it on.</summary>
    public T? Value
    {
        get => _value;
        set
        {
            _value = value;
            HasValue = true;
        }
    }

    /// <summary>True once <see cref="Value"/> has been set.</summary>
    public bool HasValue { get; private set; }

    /// <summary>Narrows which failures and rejections are replaced; it cannot widen: successes and ignored outcomes are never
    /// replaced. A throw means no. Default null: all.</summary>
    public Func<FallbackArguments<T>, bool>? ShouldHandle { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "fallback";

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Require(
            LastGood is not null || Call is not null || HasValue, nameof(Value), "not set",
            "set, unless LastGood or Call is: a fallback needs something to fall back on");
    }
}

/// <summary>What a fallback knows of the outcome that it replaces.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
public readonly struct FallbackArguments<T>
{
    internal FallbackArguments(Outcome<T> outcome, ResilienceContext context)
    {
        Outcome = outcome;
        Call = context;
    }

    /// <summary>The failure or rejection.</summary>
    public Outcome<T> Outcome { get; }

    /// <summary>The call; a substitute call honours its token.</summary>
    public ResilienceContext Context => Call.Shown();

    private ResilienceContext Call { get; }
}

/// <summary>Where a substitute came from.</summary>
public enum FallbackSource
{
    /// <summary>The last good value.</summary>
    LastGood = 0,

    /// <summary>The substitute call.</summary>
    Call = 1,

    /// <summary>The fixed value.</summary>
    Value = 2,
}

/// <summary>A fallback replaced an outcome.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The fallback.</param>
/// <param name="Replaced">The verdict that was replaced.</param>
/// <param name="Source">Where the substitute came from.</param>
/// <param name="Age">For a last good value: how old it is.</param>
public sealed record FallbackUsed(string PipelineName, string PolicyName, Verdict Replaced, FallbackSource Source, TimeSpan? Age)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 6;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Age is null) return $"fallback used in place of an outcome that was {Replaced}, from {Source}";
        return $"fallback used in place of an outcome that was {Replaced}, from {Source}, {Age} old";
    }
}

/// <summary>A substitute call threw: the fixed value takes its place, or the outcome stands that it should have replaced.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The fallback.</param>
/// <param name="Kept">The verdict that it should have replaced.</param>
/// <param name="Error">What the substitute threw.</param>
public sealed record FallbackFailed(string PipelineName, string PolicyName, Verdict Kept, Exception Error)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 7;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Error;

    /// <inheritdoc/>
    public override Exception? GetException() => Error;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => $"fallback failed; the outcome that was {Kept} stays";

    /// <summary>For <see cref="object.ToString"/>: the error with its type and message alone.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        base.PrintMembers(builder);
        builder.Append($", {nameof(Kept)} = {Kept}, {nameof(Error)} = {Safely.TextOf(Error)}");
        return true;
    }
}

/// <summary>Adds fallbacks to a pipeline.</summary>
public static class FallbackPipelineBuilderExtensions
{
    /// <summary>Adds a fallback.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ResiliencePipelineBuilder<T> AddFallback<T>(this ResiliencePipelineBuilder<T> builder, FallbackOptions<T> options) =>
        builder.AddPolicy(options, environment => new FallbackPolicy<T>(options, environment));

    /// <summary>Adds a fallback whose options are set by the delegate.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ResiliencePipelineBuilder<T> AddFallback<T>(this ResiliencePipelineBuilder<T> builder, Action<FallbackOptions<T>> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        FallbackOptions<T> options = new();
        configure(options);
        return builder.AddFallback(options);
    }

    /// <summary>Adds a fallback to a pipeline for any type: calls whose result is exactly <typeparamref name="T"/> have it, all
    /// others pass through untouched.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ResiliencePipelineBuilder AddFallback<T>(this ResiliencePipelineBuilder builder, FallbackOptions<T> options) =>
        builder.AddPolicy(options, environment => new FallbackPolicy<T>(options, environment));

    /// <summary>Adds a fallback for calls without a result: when one fails or is rejected, the substitute runs instead. Calls with a
    /// result pass through untouched.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="substitute">Gets the exception that it replaces, and a token to honour. If it throws, the failure stands.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ResiliencePipelineBuilder AddFallback(this ResiliencePipelineBuilder builder, Func<Exception?, CancellationToken, ValueTask> substitute)
    {
        ArgumentNullException.ThrowIfNull(substitute);
        return builder.AddFallback(new FallbackOptions<Nothing>
        {
            Call = async arguments =>
            {
                await substitute(arguments.Outcome.Exception, arguments.Context.CancellationToken).ConfigureAwait(false);
                return default;
            },
        });
    }
}

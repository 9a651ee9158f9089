using System.Globalization;
using Resilience.Events;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>The rejections of a load shedder: one for each cause, class and answer to "elsewhere too?", for as long as the cause is the same object. So
/// rejecting allocates nothing while an overload lasts, but ten times a second.</summary>
internal sealed class ShedRejections(PolicyEnvironment environment)
{
    private static readonly int Reasons = Enum.GetValues<ShedReason>().Length;

    private readonly Known?[] _known = new Known?[Reasons * 4 * 2];

    internal ShedRejection Of(ShedReason reason, Criticality criticality, bool isEverywhere, OverloadLevel level) =>
        Find(reason, criticality, isEverywhere, level, static cause => SentenceOf((OverloadLevel)cause));

    internal ShedRejection Of(Criticality criticality, bool isEverywhere, AdaptiveLimitRejection rejection) =>
        Find(ReasonOf(rejection.Why), criticality, isEverywhere, rejection, static cause => SentenceOf((AdaptiveLimitRejection)cause));

    internal RequestShed EventOf(ShedRejection rejection, bool isDryRun)
    {
        Known? known = Volatile.Read(ref _known[PlaceOf(rejection.Why, rejection.Criticality, rejection.IsEverywhere)]); // acquire: pairs with the write below
        if (known is null || !ReferenceEquals(known.Rejection, rejection)) return new(environment.PipelineName, environment.PolicyName, rejection, isDryRun);
        return known.Event ??= new(environment.PipelineName, environment.PolicyName, rejection, isDryRun); // a race costs an object
    }

    private ShedRejection Find(ShedReason reason, Criticality criticality, bool isEverywhere, object cause, Func<object, string> sentence)
    {
        ref Known? place = ref _known[PlaceOf(reason, criticality, isEverywhere)];
        Known? seen = Volatile.Read(ref place); // acquire: pairs with the write below
        if (seen is not null && ReferenceEquals(seen.Cause, cause)) return seen.Rejection;
        Known made = new(cause, new(environment, reason, criticality, isEverywhere, () => sentence(cause)));
        Volatile.Write(ref place, made); // release: whole before it can be seen; a race costs an object
        return made.Rejection;
    }

    private static int PlaceOf(ShedReason reason, Criticality criticality, bool isEverywhere) =>
        (((int)reason * 4) + (int)criticality) * 2 + (isEverywhere ? 1 : 0);

    private static ShedReason ReasonOf(AdaptiveLimitReason why) => why switch
    {
        AdaptiveLimitReason.QueueFull => ShedReason.QueueFull,
        AdaptiveLimitReason.WaitedTooLong => ShedReason.WaitedTooLong,
        AdaptiveLimitReason.Standing => ShedReason.Standing,
        AdaptiveLimitReason.Evicted => ShedReason.Evicted,
        _ => ShedReason.Limit,
    };

    private static string SentenceOf(OverloadLevel level)
    {
        string what = level.Reason switch
        {
            ShedReason.Cpu => string.Create(CultureInfo.InvariantCulture, $"the processors are {level.Value * 100:0} % busy"),
            ShedReason.ThreadPool => string.Create(CultureInfo.InvariantCulture, $"work waits {level.Value:0} ms for a thread of the pool"),
            ShedReason.Memory => string.Create(CultureInfo.InvariantCulture, $"memory is at {level.Value * 100:0} % of the load that is high"),
            _ => string.Create(CultureInfo.InvariantCulture, $"the signal '{level.Signal}' is at {level.Value:0.###}"),
        };
        double rejected = 100 - SheddingRules.CutOff(level.Level);
        return what + string.Create(
            CultureInfo.InvariantCulture, $", so the least important work is not served ({rejected:0.#} % of the scale of criticality)");
    }

    private static string SentenceOf(AdaptiveLimitRejection rejection) => rejection.Why switch
    {
        AdaptiveLimitReason.QueueFull => $"the queue is full {LimitOf(rejection)}",
        AdaptiveLimitReason.WaitedTooLong => $"no place became free within the longest wait or before the deadline {LimitOf(rejection)}",
        AdaptiveLimitReason.Standing => $"its queue does not become empty, so only the newest are served {LimitOf(rejection)}",
        AdaptiveLimitReason.Evicted => $"a request of a higher class took its place in the full queue {LimitOf(rejection)}",
        _ => $"all places for its class are taken {LimitOf(rejection)}",
    };

    private static string LimitOf(AdaptiveLimitRejection rejection) => string.Create(CultureInfo.InvariantCulture, $"(limit {rejection.Limit}, adapted)");

    private sealed class Known(object cause, ShedRejection rejection)
    {
        internal object Cause => cause;

        internal ShedRejection Rejection => rejection;

        internal RequestShed? Event { get; set; }
    }
}

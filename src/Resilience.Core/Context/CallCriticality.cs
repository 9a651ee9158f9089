using Resilience.Overload;

namespace Resilience;

/// <summary>The class of a call as links of ours see it, which may come up late: nothing here throws.</summary>
internal static class CallCriticality
{
    extension(ResilienceContext context)
    {
        /// <summary>As <see cref="ResilienceContext.Criticality"/>.</summary>
        internal Criticality CriticalityOfCall => Criticality.Critical + context.State.Urgency;

        internal void SetCriticality(Criticality criticality) => context.State.Urgency = criticality - Criticality.Critical;

        /// <summary>The caller says it, whatever the request says.</summary>
        internal void SayCriticality(Criticality criticality)
        {
            context.SetCriticality(criticality);
            context.State.SaysCriticality = true;
        }

        /// <summary>A hedge is worth less than the attempt that is under way.</summary>
        internal void LowerCriticality()
        {
            if (context.CriticalityOfCall > Criticality.Sheddable) context.State.Urgency--;
        }
    }
}

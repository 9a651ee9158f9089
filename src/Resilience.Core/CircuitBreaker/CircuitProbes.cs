using System.Diagnostics;

namespace Resilience;

/// <summary>The places of the probes of one half-open epoch: taken, given back and counted by compare-and-swap on its word.</summary>
internal static class CircuitProbes
{
    /// <summary>Takes a place for a call, gives up what was lost, or says that enough have succeeded.</summary>
    internal static ProbeAdmission Take(CircuitEpoch epoch, BreakerSettings settings, long now)
    {
        while (true)
        {
            // Acquire: pairs with the compare-and-swap just below and in TrySucceed and TryRelease.
            ProbeWord word = new(Volatile.Read(ref epoch.Probes));
            if (word.Good >= settings.SuccessThreshold) return ProbeAdmission.Enough;
            (ProbeAdmission answer, ProbeWord next) = BreakerRules.Enter(word, now, settings);
            if (answer == ProbeAdmission.Lost)
            {
                // Full fence: the probes are given up before the epoch is, in the word where their successes are counted. A success that
                // comes at this very moment is counted and closes the circuit, or is late; never counted and without effect.
                if (!word.IsGivenUp && Interlocked.CompareExchange(ref epoch.Probes, ProbeWord.GivenUp.Bits, word.Bits) != word.Bits) continue;
                return answer;
            }

            if (answer == ProbeAdmission.Taken) return answer;

            Debug.Assert(next.Out <= settings.Probes, "No more probes are out than may be.");

            // Full fence: the place is ours before we go on.
            if (Interlocked.CompareExchange(ref epoch.Probes, next.Bits, word.Bits) == word.Bits) return answer;
        }
    }

    /// <summary>Counts a probe that has succeeded. False: it is late.</summary>
    /// <param name="epoch">The epoch of the probe.</param>
    /// <param name="settings">The settings to count by.</param>
    /// <param name="closes">Whether it was the last one needed.</param>
    /// <param name="good">How many have succeeded.</param>
    internal static bool TrySucceed(CircuitEpoch epoch, BreakerSettings settings, out bool closes, out int good)
    {
        while (true)
        {
            ProbeWord word = new(Volatile.Read(ref epoch.Probes));
            (closes, good) = (false, 0);
            if (word.Out == 0) return false; // given up; or more came back than went out: a permit was given back twice
            (closes, ProbeWord next) = BreakerRules.Succeed(word, settings);
            good = next.Good;

            // Full fence: pairs with the one in Take; exactly one probe finds that it was the last one needed.
            if (Interlocked.CompareExchange(ref epoch.Probes, next.Bits, word.Bits) == word.Bits) return true;
        }
    }

    /// <summary>Gives a place back. False: it was given up.</summary>
    internal static bool TryRelease(CircuitEpoch epoch)
    {
        while (true)
        {
            ProbeWord word = new(Volatile.Read(ref epoch.Probes));
            if (word.Out == 0) return false;

            // Full fence: as in TrySucceed.
            if (Interlocked.CompareExchange(ref epoch.Probes, BreakerRules.Release(word).Bits, word.Bits) == word.Bits) return true;
        }
    }
}

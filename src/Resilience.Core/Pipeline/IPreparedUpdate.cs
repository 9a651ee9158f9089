namespace Resilience;

/// <summary>What stands ready to take the place of the present parts. Made and used by who holds the gate.</summary>
internal interface IPreparedUpdate
{
    /// <exception cref="InvalidOperationException">A factory of the builder has updated this very pipeline.</exception>
    void RequireSame();

    void TakeEffect();
}

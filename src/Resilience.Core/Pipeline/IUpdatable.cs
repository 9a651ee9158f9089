namespace Resilience;

/// <summary>A pipeline that can be updated while it lives.</summary>
internal interface IUpdatable<TBuilder>
{
    string Name { get; }

    /// <summary>One update at a time; calls never touch it.</summary>
    UpdateGate Updates { get; }

    /// <summary>Checks, builds and binds; nothing has changed yet. For who holds <see cref="Updates"/>.</summary>
    IPreparedUpdate Prepare(TBuilder builder);
}

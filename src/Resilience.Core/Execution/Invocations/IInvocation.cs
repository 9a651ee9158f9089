namespace Resilience;

/// <summary>A delegate of the user with its state: what a call does at the bottom of the chain.</summary>
/// <remarks>A struct for each kind of delegate, so that <see cref="Call{TInvocation, T}"/> is one class whose instances invoke without a virtual call
/// of their own.</remarks>
internal interface IInvocation<T>
{
    /// <summary>Invokes the delegate. May throw: the caller catches.</summary>
    ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken);

    /// <summary>True when the delegate returns a <see cref="Task"/>, which can be asked for its exception without a throw.</summary>
    bool ReturnsTask { get; }

    /// <summary>What a delegate without a result has returned.</summary>
    ValueTask Running { get; }
}

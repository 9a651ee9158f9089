namespace Resilience.Idempotency;

/// <summary>Begins transactions on an object that code of a request works with (a <c>DbContext</c>), so that its rows and the record of its idempotency key are
/// committed together. A keyed service: its key is the type of that object. Thread-safe.</summary>
/// <remarks>The package of the object registers it (<c>UseEntityFrameworkCore&lt;Shop&gt;()</c>), and that of the endpoints uses it
/// (<c>InTransactionOf&lt;Shop&gt;()</c>); neither knows the other.</remarks>
public interface ITransactionalScopeFactory
{
    /// <summary>Runs code in surroundings in which transactions can be begun, on the object of a request. It runs once at the most, whatever repeats there:
    /// what is to be repeated is repeated inside.</summary>
    /// <param name="services">The services of the request, from which its code has the object too.</param>
    /// <param name="run">The code. What it throws comes out.</param>
    /// <exception cref="InvalidOperationException">The object is not there.</exception>
    ValueTask RunAsync(IServiceProvider services, Func<ITransactionalScope, ValueTask> run);
}

using Resilience.Idempotency;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Idempotency records in the model of an application.</summary>
public static class IdempotencyModelBuilderExtensions
{
    /// <summary>Adds the table of idempotency records to the model, so that it stands in the application's database, schema and migrations. Call it in
    /// <c>OnModelCreating</c>.</summary>
    /// <param name="model">The model.</param>
    /// <param name="table">The name of the table. Default: <c>ResilienceIdempotency</c>, or what a naming convention makes of it.</param>
    /// <param name="schema">Its schema. Default: that of the model.</param>
    /// <returns>The model.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="model"/> is null.</exception>
    public static ModelBuilder AddIdempotency(this ModelBuilder model, string? table = null, string? schema = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        RecordModel.AddTo(model, table, schema);
        return model;
    }
}

using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.Idempotency;

/// <summary>How the model names the table of the records and its columns, as they stand in statements.</summary>
internal sealed class RecordNames
{
    private readonly IEntityType _record;
    private readonly StoreObjectIdentifier _where;
    private readonly ISqlGenerationHelper _sql;

    /// <exception cref="IdempotencyStoreException">The model has no records.</exception>
    internal RecordNames(DbContext context)
    {
        _record = context.Model.FindEntityType(RecordModel.Name) ?? throw new IdempotencyStoreException(
            IdempotencyStoreFault.Misconfigured,
            $"The model of {context.GetType().Name} has no idempotency records: call model.AddIdempotency() in OnModelCreating, and add a migration.");
        _where = StoreObjectIdentifier.Create(_record, StoreObjectType.Table)!.Value;
        _sql = context.GetService<ISqlGenerationHelper>();
        Table = _sql.DelimitIdentifier(_where.Name, _where.Schema);
        Id = NameOf(RecordModel.Id);
        ExpiresDay = NameOf(RecordModel.ExpiresDay);
        ExpiresAt = NameOf(RecordModel.ExpiresAt);
    }

    /// <summary>With its schema, quoted.</summary>
    internal string Table { get; }

    internal string Id { get; }

    internal string ExpiresDay { get; }

    internal string ExpiresAt { get; }

    /// <summary>The column of a property, quoted.</summary>
    internal string NameOf(string property) => _sql.DelimitIdentifier(_record.GetProperty(property).GetColumnName(_where)!);

    /// <summary>How values of a property are given to the database.</summary>
    internal RelationalTypeMapping TypeOf(string property) => _record.GetProperty(property).GetRelationalTypeMapping();

    /// <summary>A parameter as it stands in a statement.</summary>
    internal string Parameter(string name) => _sql.GenerateParameterNamePlaceholder(name);

    /// <summary>A parameter as the driver knows it.</summary>
    internal string ParameterName(string name) => _sql.GenerateParameterName(name);
}

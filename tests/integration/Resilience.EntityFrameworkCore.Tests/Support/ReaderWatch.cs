using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>What queries are read through when their reader is closed.</summary>
internal sealed class ReaderWatch : DbCommandInterceptor
{
    internal List<string> Readers { get; } = [];

    public override InterceptionResult DataReaderDisposing(DbCommand command, DataReaderDisposingEventData eventData, InterceptionResult result)
    {
        Readers.Add(eventData.DataReader.GetType().Name);
        return result;
    }
}

using Microsoft.Data.Sqlite;

namespace Resilience.Idempotency.Tests.Stores;

/// <summary>What is reported about the file, and what happens when it has changed.</summary>
public sealed class SqliteFileTests : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"file-{Guid.NewGuid():N}.db");

    [Theory]
    [InlineData("Data Source=:memory:", false)]
    [InlineData("Data Source=keys;Mode=Memory;Cache=Shared", false)]
    [InlineData("Data Source=file:keys?mode=memory", false)]
    [InlineData("Data Source=file::memory:", false)]
    [InlineData("Data Source=file::memory:?cache=shared", false)]
    [InlineData("Data Source=file:/keys?vfs=memdb", false)]
    [InlineData("Data Source=file:", false)]
    [InlineData("Data Source=keys.db", true)]
    [InlineData("Data Source=file:keys.db", true)]
    [InlineData("Data Source=|DataDirectory|keys.db", true)]
    public void Only_a_file_is_durable_and_shared(string connectionString, bool isFile)
    {
        SqliteIdempotencyStore store = new(connectionString);
        (store.Traits.IsDurable, store.Traits.IsShared).Should().Be((isFile, isFile));
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_a_mistake_and_no_record_that_cannot_be_read()
    {
        await File.WriteAllTextAsync(_file, new string('x', 8192));
        await using SqliteIdempotencyStore store = new($"Data Source={_file}");
        (await store.Awaiting(s => s.TryAcquireAsync(Ask()).AsTask()).Should().ThrowAsync<IdempotencyStoreException>())
            .Which.Fault.Should().Be(IdempotencyStoreFault.Misconfigured);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_file_that_was_deleted_while_in_use_is_noticed_before_anything_is_executed(bool isReplaced)
    {
        await using SqliteIdempotencyStore first = new($"Data Source={_file}"), second = new($"Data Source={_file}");
        AcquireRequest request = Ask();
        (await first.TryAcquireAsync(request)).Status.Should().Be(AcquireStatus.Acquired);
        foreach (string part in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*")) File.Delete(part);
        if (isReplaced) (await second.TryAcquireAsync(request with { Nonce = Guid.NewGuid() })).Status.Should().Be(AcquireStatus.Acquired);

        (await first.Awaiting(s => s.TryAcquireAsync(Ask()).AsTask()).Should().ThrowAsync<IdempotencyStoreException>())
            .WithMessage("*deleted or replaced*").Which.Fault.Should().Be(IdempotencyStoreFault.Misconfigured);

        // From here on both see the same file.
        AcquireRequest shared = Ask();
        (await first.TryAcquireAsync(shared)).Status.Should().Be(AcquireStatus.Acquired);
        (await second.TryAcquireAsync(shared with { Nonce = Guid.NewGuid() })).Status.Should().Be(AcquireStatus.InFlight);
    }

    /// <summary>SQLite says which file is open: by a name that it reads as a URI, or that its client puts into the application's folder of data.</summary>
    [Theory]
    [InlineData("file:")]
    [InlineData("|DataDirectory|")]
    [InlineData("")]
    public async Task A_file_is_known_by_whatever_name_it_was_opened(string prefix)
    {
        object? former = AppDomain.CurrentDomain.GetData("DataDirectory");
        if (prefix != "file:") AppDomain.CurrentDomain.SetData("DataDirectory", Path.GetTempPath());
        try
        {
            await using SqliteIdempotencyStore store = new($"Data Source={prefix}{(prefix == "file:" ? _file : Path.GetFileName(_file))}");
            for (int i = 0; i < 3; i++) (await store.TryAcquireAsync(Ask())).Status.Should().Be(AcquireStatus.Acquired);
            File.Exists(_file).Should().BeTrue();

            foreach (string part in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*")) File.Delete(part);

            (await store.Awaiting(s => s.TryAcquireAsync(Ask()).AsTask()).Should().ThrowAsync<IdempotencyStoreException>())
                .WithMessage("*deleted or replaced*");
        }
        finally
        {
            AppDomain.CurrentDomain.SetData("DataDirectory", former);
        }
    }

    /// <summary>The answer of SQLite counts, and not what was asked for: with this way to files there is no shared memory, and so no WAL.</summary>
    [Fact]
    public async Task A_journal_that_is_not_wal_is_a_mistake()
    {
        await using SqliteIdempotencyStore store = new($"Data Source=file:{_file}?vfs=unix-none");
        (await store.Awaiting(s => s.TryAcquireAsync(Ask()).AsTask()).Should().ThrowAsync<IdempotencyStoreException>())
            .WithMessage("*the journal mode of*must be wal*").Which.Fault.Should().Be(IdempotencyStoreFault.Misconfigured);
    }

    [Theory]
    [InlineData("format 1", true)]
    [InlineData("format 2", false)]
    [InlineData("format 17", false)]
    [InlineData("", true)]
    public async Task A_table_of_a_newer_format_is_rejected_in_one_sentence(string format, bool works)
    {
        string schema = new SqliteIdempotencyStore($"Data Source={_file}").Schema;
        await using (SqliteConnection other = new($"Data Source={_file};Pooling=false"))
        {
            await other.OpenAsync();
            string theirs = schema.Replace("records of Resilience, format 1", $"records of Resilience, {format}", StringComparison.Ordinal);
            await using SqliteCommand create = new(theirs, other);
            await create.ExecuteNonQueryAsync();
        }

        await using SqliteIdempotencyStore store = new($"Data Source={_file}");
        Func<Task> claim = () => store.TryAcquireAsync(Ask()).AsTask();
        if (works) await claim.Should().NotThrowAsync();
        else (await claim.Should().ThrowAsync<IdempotencyStoreException>().WithMessage($"*has {format}, which a newer version*works with format 1."))
            .Which.Fault.Should().Be(IdempotencyStoreFault.Misconfigured);
    }

    /// <summary>A checkpoint writes to the file itself, and so do other processes: what .NET calls its time of creation moves.</summary>
    [Fact]
    public async Task A_file_that_is_only_written_to_is_the_same_file()
    {
        await using SqliteIdempotencyStore store = new($"Data Source={_file}");
        for (int i = 0; i < 3; i++)
        {
            AcquireRequest request = Ask();
            AcquireResult claim = await store.TryAcquireAsync(request);
            (await store.CompleteAsync(request.Id, claim.Fence, IdempotencyCompletion.Completed, new byte[100], request.Retention)).Should().BeTrue();
            await using SqliteConnection other = new($"Data Source={_file};Pooling=false");
            await other.OpenAsync();
            await using SqliteCommand checkpoint = new("PRAGMA wal_checkpoint(TRUNCATE)", other);
            await checkpoint.ExecuteNonQueryAsync();
            File.SetLastWriteTimeUtc(_file, File.GetLastWriteTimeUtc(_file).AddMinutes(-1));
        }
    }

    public void Dispose()
    {
        foreach (string file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*")) File.Delete(file);
    }

    private static AcquireRequest Ask() => new()
    {
        Id = Kit.NewId(),
        Nonce = Guid.NewGuid(),
        Lease = TimeSpan.FromMinutes(1),
        Retention = TimeSpan.FromMinutes(1),
        MaxAttempts = 3,
    };
}

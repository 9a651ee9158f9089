namespace Resilience.EntityFrameworkCore;

/// <summary>What a command may do to the database.</summary>
internal enum CommandKind
{
    /// <summary>It reads.</summary>
    Read,

    /// <summary>It writes, and EF Core goes on behind it by itself if it was committed: migrations.</summary>
    ResumedWrite,

    /// <summary>It writes.</summary>
    Write,
}

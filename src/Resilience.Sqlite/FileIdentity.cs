using System.Runtime.InteropServices;

namespace Resilience.Idempotency;

/// <summary>Which file stands under a name: another one after it was deleted or replaced, the same one however often it is written to.</summary>
/// <remarks>
/// On Linux device and inode, which no other file has while this one is open. What .NET calls the time of creation is there the time of the last
/// change, which moves with each checkpoint. Elsewhere it is the time of creation.
/// </remarks>
internal readonly record struct FileIdentity(ulong Inode, ulong Device, DateTime Created)
{
    private const int CurrentFolder = -100, LengthOfStatx = 256;
    private const uint WantsInode = 0x100;

    private static bool _hasStatx = OperatingSystem.IsLinux();

    /// <summary>Null when there is no such file.</summary>
    internal static FileIdentity? Of(string path)
    {
        if (!File.Exists(path)) return null;
        if (!OperatingSystem.IsLinux()) return new(0, 0, File.GetCreationTimeUtc(path));
        return _hasStatx ? ByStatx(path) : default(FileIdentity); // without it a replaced file is not noticed, only a deleted one
    }

    private static FileIdentity? ByStatx(string path)
    {
        byte[] told = new byte[LengthOfStatx];
        try
        {
            // The file may have gone since we looked.
            if (Statx(CurrentFolder, path, 0, WantsInode, told) != 0) return File.Exists(path) ? default(FileIdentity) : null;
        }
        catch (EntryPointNotFoundException)
        {
            _hasStatx = false; // a C library from before 2018
            return default(FileIdentity);
        }

        // The layout is the same on all processors; numbers are in the order of the machine.
        ulong inode = BitConverter.ToUInt64(told, 32), device = ((ulong)BitConverter.ToUInt32(told, 136) << 32) | BitConverter.ToUInt32(told, 140);
        return new(inode, device, default);
    }

    [DllImport("libc", EntryPoint = "statx")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Statx(int folder, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask, byte[] told);
}

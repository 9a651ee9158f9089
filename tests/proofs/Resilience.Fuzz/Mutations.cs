using System.Text;

namespace Resilience.Fuzz;

/// <summary>Makes inputs out of known ones: the search that needs no instruments, for every run.</summary>
internal sealed class Mutations(int seed, IReadOnlyList<byte[]> known, IReadOnlyList<string> words)
{
    private const int Max = 2000;

    private readonly Random _random = new(seed);
    private readonly List<byte[]> _known = [.. known, []];
    private readonly byte[][] _words = [.. words.Select(w => w.Any(c => c > '\u00ff') ? Encoding.UTF8.GetBytes(w) : Encoding.Latin1.GetBytes(w))];

    internal byte[] Next()
    {
        List<byte> bytes = [.. _known[_random.Next(_known.Count)]];
        for (int i = _random.Next(1, 7); i > 0; i--) Change(bytes);
        if (bytes.Count > Max) bytes.RemoveRange(Max, bytes.Count - Max);
        return [.. bytes];
    }

    private void Change(List<byte> bytes)
    {
        int at = _random.Next(bytes.Count + 1);
        switch (_random.Next(8))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = _random.Next(3) switch { 0 => 0, 1 => byte.MaxValue, _ => (byte)_random.Next(256) };
                break;
            case 2 when at < bytes.Count:
                bytes.RemoveRange(at, Math.Min(_random.Next(1, 9), bytes.Count - at));
                break;
            case 3:
                byte[] other = _known[_random.Next(_known.Count)];
                int from = _random.Next(other.Length + 1);
                bytes.InsertRange(at, other.AsSpan(from, _random.Next(other.Length - from + 1)).ToArray());
                break;
            case 4 when at < bytes.Count:
                bytes.InsertRange(at, bytes.GetRange(at, Math.Min(_random.Next(1, 30), bytes.Count - at)));
                break;
            case 5:
                bytes.Insert(at, (byte)_random.Next(' ', '\u007f'));
                break;
            default:
                bytes.InsertRange(at, _words[_random.Next(_words.Length)]);
                break;
        }
    }
}

using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Resilience.DriverTests;

/// <summary>Speaks as much of SQL Server's protocol (MS-TDS) as a client needs to log in and to be told of an error: a responder on the loopback, without
/// encryption. A statement <c>ERROR 1205 13</c> is answered with that number and class; a login for the database <c>error-4060</c> with that number.</summary>
internal sealed class TdsServer : IDisposable
{
    private const byte Batch = 1, Answer = 4, Login = 16, PreLogin = 18;
    private const byte LastPacket = 1, MaxClass = 20;
    private const byte Success = 0, Failure = 2, Attention = 32; // of a statement that is done

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private int _statements;
    private int _logins;

    internal TdsServer()
    {
        _listener.Start();
        _ = AcceptAsync();
    }

    internal int Statements => Volatile.Read(ref _statements);

    internal int Logins => Volatile.Read(ref _logins);

    internal string ConnectionString(string database = "shop") =>
        $"Server=tcp:127.0.0.1,{((IPEndPoint)_listener.LocalEndpoint).Port};Database={database};User Id=sa;Password=x;Encrypt=Optional;Pooling=false;"
        + "ConnectRetryCount=0;Connect Timeout=20;Command Timeout=20";

    public void Dispose()
    {
        if (_stop.IsCancellationRequested) return;
        _stop.Cancel();
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptSocketAsync(_stop.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using NetworkStream stream = new(socket, ownsSocket: true);
        try
        {
            while (await ReadAsync(stream) is var (type, message))
            {
                (byte[]? answer, bool closes) = AnswerTo(type, message);
                if (answer is not null) await WriteAsync(stream, answer);
                if (closes) return;
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has left.
        }
    }

    private (byte[]? Answer, bool Closes) AnswerTo(byte type, byte[] message)
    {
        switch (type)
        {
            case PreLogin:
                return (PreLoginAnswer(), false);
            case Login:
                Interlocked.Increment(ref _logins);
                return DatabaseOf(message) is ['e', 'r', 'r', 'o', 'r', '-', .. var number]
                    ? ([.. Error(int.Parse(number), 14), .. Done(Failure)], true)
                    : ([.. LoginAck(), .. Done(Success)], false);
            case Batch:
                Interlocked.Increment(ref _statements);
                string[] words = StatementOf(message).Split(' ');
                if (words[0] == "HANG") return (null, false);
                if (words[0] == "DROP") return (null, true);
                byte severity = byte.Parse(words[2]);
                return ([.. Error(int.Parse(words[1]), severity), .. Done(Failure)], severity >= MaxClass);
            default:
                return (Done(Attention), false); // the client gives up what it waits for
        }
    }

    private async Task<(byte Type, byte[] Message)?> ReadAsync(NetworkStream stream)
    {
        MemoryStream message = new();
        byte[] header = new byte[8];
        while (true)
        {
            if (await stream.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, _stop.Token) < header.Length) return null;
            byte[] part = new byte[BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(2)) - header.Length];
            await stream.ReadExactlyAsync(part, _stop.Token);
            message.Write(part);
            if ((header[1] & LastPacket) != 0) return (header[0], message.ToArray());
        }
    }

    private async Task WriteAsync(NetworkStream stream, byte[] message)
    {
        byte[] packet = [Answer, LastPacket, 0, 0, 0, 0, 1, 0, .. message];
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        await stream.WriteAsync(packet, _stop.Token);
    }

    /// <summary>Two options, a version and that there is no encryption: each a kind, where it stands and how long it is.</summary>
    private static byte[] PreLoginAnswer() => [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 16, 0, 0, 0, 0, 0, 2];

    private static byte[] LoginAck()
    {
        byte[] name = Encoding.Unicode.GetBytes("tds");
        byte[] body = [1, 0x74, 0, 0, 4, 3, .. name, 16, 0, 0, 0];
        return [0xAD, .. Length(body.Length), .. body];
    }

    private static byte[] Error(int number, byte severity)
    {
        byte[] text = Encoding.Unicode.GetBytes("said by the test"), code = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(code, number);
        byte[] body = [.. code, 1, severity, .. Length(text.Length / 2), .. text, 0, 0, 1, 0, 0, 0];
        return [0xAA, .. Length(body.Length), .. body];
    }

    private static byte[] Done(byte status) => [0xFD, status, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private static byte[] Length(int value) => [(byte)value, (byte)(value >> 8)];

    /// <summary>Where the name of the database stands is said at 68 of the login, and how many characters it has at 70.</summary>
    private static string DatabaseOf(byte[] login)
    {
        int at = BinaryPrimitives.ReadUInt16LittleEndian(login.AsSpan(68)), characters = BinaryPrimitives.ReadUInt16LittleEndian(login.AsSpan(70));
        return Encoding.Unicode.GetString(login, at, characters * 2);
    }

    /// <summary>Behind the headers, whose length comes first.</summary>
    private static string StatementOf(byte[] batch) => Encoding.Unicode.GetString(batch.AsSpan(BinaryPrimitives.ReadInt32LittleEndian(batch))).Trim();
}

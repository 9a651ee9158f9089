using Grpc.Core;
using Grpc.Net.Client.Configuration;

namespace Resilience.Tests;

internal static class Configs
{
    /// <summary>A service config by which the channel itself makes three attempts.</summary>
    internal static ServiceConfig Repeating() => new()
    {
        MethodConfigs =
        {
            new MethodConfig
            {
                Names = { MethodName.Default },
                RetryPolicy = new()
                {
                    MaxAttempts = 3, InitialBackoff = TimeSpan.FromMilliseconds(1), MaxBackoff = TimeSpan.FromMilliseconds(1), BackoffMultiplier = 1,
                    RetryableStatusCodes = { StatusCode.Unavailable },
                },
            },
        },
    };
}

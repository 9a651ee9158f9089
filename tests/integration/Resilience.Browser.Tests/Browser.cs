using Microsoft.Playwright;
using Resilience.Tests.Support;

namespace Resilience.Browser.Tests;

/// <summary>A real Chromium, one for all tests of a class. It is the system's: nothing is downloaded.</summary>
[Requires(Tool.Chromium)]
public sealed class Browser : IAsyncLifetime
{
    private const string Elsewhere = "RESILIENCE_CHROMIUM";

    private static readonly string[] Arguments =
    [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ];

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async Task InitializeAsync()
    {
        if (Requirements.AreMissingFor(typeof(Browser))) return;
        string path = Environment.GetEnvironmentVariable(Elsewhere) ?? "/usr/bin/chromium";
        if (!File.Exists(path))
            throw new InvalidOperationException($"There is no Chromium at {path}: install it (Debian's package 'chromium'), or say in {Elsewhere} where it is.");
        Assertions.SetDefaultExpectTimeout(60_000);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new() { ExecutablePath = path, Args = Arguments, Timeout = 120_000 });
    }

    /// <summary>A page in a window of its own, empty without an address; what goes wrong in it is kept.</summary>
    internal async Task<View> OpenAsync(Uri? address, int width = 1280, int height = 900, ColorScheme scheme = ColorScheme.Light, ReducedMotion motion = ReducedMotion.NoPreference)
    {
        IBrowserContext context = await _browser!.NewContextAsync(new()
        {
            ViewportSize = new() { Width = width, Height = height },
            ColorScheme = scheme,
            ReducedMotion = motion,
        });
        context.SetDefaultTimeout(60_000);
        View view = new(context, await context.NewPageAsync());
        if (address is not null) await view.GoAsync(address);
        return view;
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null) await _browser.DisposeAsync();
        _playwright?.Dispose();
    }
}

/// <summary>A page that is open in the browser.</summary>
internal sealed class View(IBrowserContext context, IPage page) : IAsyncDisposable
{
    private readonly List<string> _problems = [];
    private readonly List<string> _requests = [];

    internal IPage Page => page;

    /// <summary>What the page complained of: errors of scripts, and what its own policy forbade it.</summary>
    internal IReadOnlyList<string> Problems => _problems;

    /// <summary>All addresses that the page asked for.</summary>
    internal IReadOnlyList<string> Requests => _requests;

    internal async Task GoAsync(Uri address)
    {
        page.PageError += (_, error) => _problems.Add(error);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning") _problems.Add(message.Text);
        };
        await context.RouteAsync("**/*", route =>
        {
            _requests.Add(route.Request.Url);
            return route.ContinueAsync();
        });
        await page.GotoAsync(address.ToString());
        await page.Locator("html[data-ready=true]").WaitForAsync(new() { State = WaitForSelectorState.Attached });
    }

    internal ILocator Circuit(string pipeline) => page.Locator($"[data-pipeline='{pipeline}'] .circuit").First;

    internal Task CircuitBecomesAsync(string pipeline, string state) => Assertions.Expect(Circuit(pipeline)).ToHaveAttributeAsync("data-state", state);

    public ValueTask DisposeAsync() => context.DisposeAsync();
}

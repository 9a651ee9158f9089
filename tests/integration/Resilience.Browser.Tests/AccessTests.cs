using Microsoft.Playwright;

namespace Resilience.Browser.Tests;

/// <summary>All users can read and use the page: by screen reader, by keyboard, on a telephone, in the dark. The checks are shown to find
/// what they look for.</summary>
public sealed class AccessTests(Browser browser) : IClassFixture<Browser>
{
    [Theory]
    [InlineData(360, 740, ColorScheme.Light)]
    [InlineData(360, 740, ColorScheme.Dark)]
    [InlineData(820, 1100, ColorScheme.Light)]
    [InlineData(1440, 900, ColorScheme.Light)]
    [InlineData(1440, 900, ColorScheme.Dark)]
    public async Task The_page_in_trouble_is_readable_for_all(int width, int height, ColorScheme scheme)
    {
        await using House house = await House.OpenAsync();
        await using View view = await browser.OpenAsync(house.Page, width, height, scheme);
        await TroubleAsync(house, view);
        await view.Page.EvaluateAsync("() => document.querySelectorAll('details').forEach(d => d.open = true)");

        (await FindAsync(view.Page)).Should().BeEmpty();
        await view.Page.Locator("[data-pipeline='p:orders'] [data-action=isolate]").ClickAsync();
        (await FindAsync(view.Page)).Should().BeEmpty("the dialogue is open");
        view.Problems.Should().BeEmpty();
    }

    [Fact]
    public async Task State_is_never_shown_by_colour_alone()
    {
        await using House house = await House.OpenAsync();
        await using View view = await browser.OpenAsync(house.Page);
        await TroubleAsync(house, view);

        string[] states = await view.Page.EvaluateAsync<string[]>("() => [...document.querySelectorAll('.circuit .badge')].map(b => `${b.dataset.state}: ${b.textContent}`)");

        states.Distinct().Should().BeEquivalentTo("closed: ✓closed", "open: ✕open", "isolated: ■isolated");
        (await view.Page.Locator("svg[role=img]:not([aria-label])").CountAsync()).Should().Be(0, "charts say in words what they show");
        await Assertions.Expect(view.Page.Locator($"[data-pipeline='{house.Payments}'] svg[role=img]").First)
            .ToHaveAttributeAsync("aria-label", new System.Text.RegularExpressions.Regex("3 in all, 3 failed, 0 rejected"));
    }

    [Theory]
    [InlineData("<p style='color:#999;background:#fff'>pale</p>", "contrast")]
    [InlineData("<p style='color:#333'>on <span style='background:#555'>dark</span></p>", "contrast")]
    [InlineData("<button style='width:40px;height:40px'></button>", "no name")]
    [InlineData("<input style='width:90px;height:30px'>", "no name")]
    [InlineData("<button style='width:9px;height:40px;padding:0;overflow:hidden'>x</button>", "small")]
    [InlineData("<h4>deep</h4>", "heading")]
    [InlineData("<h1>again</h1>", "heading")]
    [InlineData("<div style='width:2000px;height:4px;background:red'></div>", "overflow")]
    [InlineData("<i id='a'></i><i id='a'></i>", "twice")]
    [InlineData("<svg role='img' width='9' height='9'></svg>", "no name")]
    [InlineData("<section>of nothing</section>", "no name")]
    [InlineData("<a href='#nowhere' style='display:inline-block;padding:9px'>go</a>", "leads nowhere")]
    public async Task The_check_finds_a_planted_flaw(string flaw, string complaint)
    {
        await using View view = await browser.OpenAsync(null);
        const string Sound = "<!DOCTYPE html><html lang=en><title>t</title><body style='margin:0;background:#fff;color:#000;font:16px sans-serif'><header></header><main><h1>One</h1>{0}</main><footer></footer>";
        await view.Page.SetContentAsync(Sound.Replace("{0}", "<h2>Two</h2><button style='width:40px;height:40px'>press</button>", StringComparison.Ordinal));
        (await FindAsync(view.Page)).Should().BeEmpty("nothing is planted");

        await view.Page.SetContentAsync(Sound.Replace("{0}", flaw, StringComparison.Ordinal));

        (await FindAsync(view.Page)).Should().ContainSingle().Which.Should().Contain(complaint);
    }

    /// <summary>Open, isolated and closed circuits, a rejection, a warning, charts that have something to show.</summary>
    private static async Task TroubleAsync(House house, View view)
    {
        house.Break();
        for (int i = 0; i < 3; i++) await house.PayAsync();
        house.Pipeline(House.Evil).Find<CircuitBreaker>()!.Isolate();
        await view.CircuitBecomesAsync(house.Payments, "open");
        await view.CircuitBecomesAsync($"p:{House.Evil.Replace("'", "\\'", StringComparison.Ordinal)}", "isolated");
        await Assertions.Expect(view.Page.Locator($"[data-pipeline='{house.Payments}'] .now").Last).ToContainTextAsync("p95");
    }

    private static Task<string[]> FindAsync(IPage page) => page.EvaluateAsync<string[]>(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "access.js")));
}

using System.Text.RegularExpressions;
using Microsoft.Extensions.Time.Testing;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Resilience.Browser.Tests;

/// <summary>What a person sees and does, in a real browser, with a real server that goes down and comes back.</summary>
public sealed class LivePageTests(Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task The_circuit_opens_on_the_page_while_the_server_is_down_and_closes_again_when_it_is_healed()
    {
        await using House house = await House.OpenAsync();
        await using View view = await browser.OpenAsync(house.Page);
        (await house.PayAsync()).Should().Be("paid");
        await view.CircuitBecomesAsync(house.Payments, "closed");

        house.Break();
        for (int i = 0; i < 3; i++) (await house.PayAsync()).Should().Be("failed");
        await view.CircuitBecomesAsync(house.Payments, "open");
        await Expect(view.Circuit(house.Payments)).ToContainTextAsync("Opened because 3 calls in a row failed.");
        await Expect(view.Page.Locator("#announcer")).ToContainTextAsync("Open: 3 calls in a row failed.");
        await Expect(view.Page.Locator("#overview")).ToContainTextAsync("not closed");

        (await house.PayAsync()).Should().Be("rejected");
        await Expect(view.Page.Locator(".entry[data-kind=rejection]").First).ToContainTextAsync("The circuit has been open since");

        house.Heal();
        house.Time.Skip(TimeSpan.FromHours(2));
        await view.CircuitBecomesAsync(house.Payments, "half-open");
        (await house.PayAsync()).Should().Be("paid");
        await view.CircuitBecomesAsync(house.Payments, "closed");
        await Expect(view.Page.Locator("#announcer")).ToContainTextAsync("Closed: the probes succeeded.");
        await Expect(view.Circuit(house.Payments)).ToContainTextAsync("Had opened because 3 calls in a row failed.");
        view.Problems.Should().BeEmpty();
    }

    [Fact]
    public async Task A_circuit_is_isolated_and_closed_with_the_keyboard_alone()
    {
        await using House house = await House.OpenAsync();
        CircuitBreaker breaker = house.Pipeline("orders").Find<CircuitBreaker>()!;
        await using View view = await browser.OpenAsync(house.Page);

        await TabToAsync(view.Page, "[data-pipeline='p:orders'] [data-action=isolate]");
        await view.Page.Keyboard.PressAsync("Enter");
        await Expect(view.Page.Locator("#ask")).ToBeVisibleAsync();
        await Expect(view.Page.Locator("#ask-no")).ToBeFocusedAsync();
        await view.Page.Keyboard.PressAsync("Escape");
        await Expect(view.Page.Locator("#ask")).ToBeHiddenAsync();
        breaker.State.Should().Be(CircuitState.Closed, "it was thought over");

        await view.Page.Keyboard.PressAsync("Enter"); // the button has the focus again
        await ConfirmAsync(view.Page);
        await view.CircuitBecomesAsync("p:orders", "isolated");
        breaker.State.Should().Be(CircuitState.Isolated);
        await Expect(view.Page.Locator("[data-pipeline='p:orders'] [data-action=isolate]")).ToBeFocusedAsync();

        await view.Page.Keyboard.PressAsync("Tab");
        await view.Page.Keyboard.PressAsync("Enter");
        await ConfirmAsync(view.Page);
        await view.CircuitBecomesAsync("p:orders", "closed");
        breaker.State.Should().Be(CircuitState.Closed);
        view.Problems.Should().BeEmpty();
    }

    [Fact]
    public async Task Chaos_is_seen_and_turned_off()
    {
        await using House house = await House.OpenAsync();
        ChaosSwitch chaos = house.Pipeline("rehearsal").Find<ChaosSwitch>()!;
        await using View view = await browser.OpenAsync(house.Page);
        ILocator off = view.Page.Locator("[data-pipeline='p:rehearsal'] [data-action=turn-off]");
        await Expect(view.Page.Locator("[data-pipeline='p:rehearsal']")).ToContainTextAsync("chaos off");
        await Expect(off).ToBeHiddenAsync();

        chaos.TurnOn();
        await Expect(view.Page.Locator("[data-pipeline='p:rehearsal']")).ToContainTextAsync("chaos on");
        await house.Pipeline("rehearsal").TryExecuteAsync(static _ => ValueTask.FromResult(1));
        await Expect(view.Page.Locator(".entry").First).ToContainTextAsync("Fault injected on purpose.");
        await off.ClickAsync();
        await ConfirmAsync(view.Page);

        await Expect(view.Page.Locator("[data-pipeline='p:rehearsal']")).ToContainTextAsync("chaos off");
        chaos.IsOn.Should().BeFalse();
        view.Problems.Should().BeEmpty();
    }

    [Fact]
    public async Task An_operator_looks_a_record_up_and_says_that_it_was_not_done()
    {
        await using House house = await House.OpenAsync();
        IdempotencyId id = IdempotencyKey.Shared("order-1").ToId();
        await (await house.Gate.EnterAsync(id, default)).Claim!.CompleteAsUnknownAsync();
        await using View view = await browser.OpenAsync(house.Page);
        ILocator form = view.Page.Locator("[data-pipeline='g:idempotency'] form.record"), decisions = form.Locator(".buttons");

        await form.Locator("input").FillAsync("no id");
        await view.Page.Keyboard.PressAsync("Enter");
        await Expect(form).ToContainTextAsync("64 hexadecimal digits");
        await Expect(decisions).ToBeHiddenAsync();
        await form.Locator("input").FillAsync(id.ToHex());
        await view.Page.Keyboard.PressAsync("Enter");
        await Expect(form).ToContainTextAsync("The outcome is unknown.");

        await form.Locator("[data-action=record-not-done]").ClickAsync();
        await Expect(view.Page.Locator("#ask")).ToContainTextAsync("The next request with its key executes it.");
        await view.Page.Locator("#ask-no").ClickAsync();
        (await house.Gate.PeekAsync(id)).State.Should().Be(IdempotencyState.OutcomeUnknown, "it was thought over");
        await form.Locator("[data-action=record-not-done]").ClickAsync();
        await ConfirmAsync(view.Page);

        await Expect(form).ToContainTextAsync("Decided: not done");
        await Expect(decisions).ToBeHiddenAsync();
        (await house.Gate.EnterAsync(id, default)).Status.Should().Be(IdempotencyStatus.Claimed);
        view.Problems.Where(p => !p.Contains("400", StringComparison.Ordinal)).Should().BeEmpty("the browser itself tells of the rejection of what was no id");
    }

    [Fact]
    public async Task The_options_of_a_policy_open_with_the_keyboard_and_stay_open()
    {
        await using House house = await House.OpenAsync();
        await using View view = await browser.OpenAsync(house.Page);
        ILocator details = view.Page.Locator("[data-pipeline='p:orders'] li.policy").Nth(1).Locator("details");

        await TabToAsync(view.Page, "[data-pipeline='p:orders'] li.policy:nth-child(2) summary");
        await view.Page.Keyboard.PressAsync("Enter");
        await Expect(details).ToHaveAttributeAsync("open", "");
        await house.PayAsync(); // an authority that was not known changes the arrangement
        await Expect(view.Page.Locator($"[data-pipeline='{house.Payments}']")).ToBeVisibleAsync();

        await Expect(details).ToHaveAttributeAsync("open", "");
        await Expect(details.Locator("dl").First).Not.ToBeEmptyAsync();
    }

    [Fact]
    public async Task No_request_leaves_the_application_and_no_name_becomes_markup()
    {
        await using House house = await House.OpenAsync();
        house.Pipeline(House.Evil).Find<CircuitBreaker>()!.Isolate();
        await using View view = await browser.OpenAsync(house.Page);
        await view.Page.Locator(".entry").First.WaitForAsync();
        for (int i = 0; i < 3; i++) await house.PayAsync();
        await view.Page.Locator($"[data-pipeline='{house.Payments}']").WaitForAsync();

        await Expect(view.Page.Locator("h3", new() { HasTextString = House.Evil })).ToHaveCountAsync(1);
        await Expect(view.Page).ToHaveTitleAsync("Shop: resilience");
        (await view.Page.Locator("main img, main script").CountAsync()).Should().Be(0);
        view.Requests.Should().NotBeEmpty().And.OnlyContain(r => r.StartsWith(house.Page.ToString(), StringComparison.Ordinal));
        view.Problems.Should().BeEmpty();
    }

    [Fact]
    public async Task The_recent_entries_are_filtered()
    {
        await using House house = await House.OpenAsync();
        house.Pipeline("orders").Find<CircuitBreaker>()!.Isolate();
        await using View view = await browser.OpenAsync(house.Page);
        await house.Pipeline("orders").TryExecuteAsync(static _ => ValueTask.FromResult(1));
        await Expect(view.Page.Locator(".entry[data-kind=rejection]")).ToBeVisibleAsync();

        await view.Page.GetByLabel("transitions").CheckAsync();

        await Expect(view.Page.Locator(".entry[data-kind=rejection]")).ToBeHiddenAsync();
        await Expect(view.Page.Locator(".entry[data-kind=transition]").First).ToBeVisibleAsync();
    }

    [Fact]
    public async Task The_first_viewer_sees_the_minutes_before()
    {
        await using House house = await House.OpenAsync();
        for (int i = 0; i < 5; i++) await house.PayAsync();
        await house.UntilMeasuredAsync(5);

        await using View view = await browser.OpenAsync(house.Page);

        ILocator card = view.Page.Locator($"[data-pipeline='{house.Payments}']");
        await Expect(card.Locator("svg[role=img]").First).ToHaveAttributeAsync("aria-label", new Regex("5 in all"));
        await Expect(card.Locator(".axis").First).ToContainTextAsync("ago");
        await Expect(card.Locator(".times-table tbody tr").First).ToContainTextAsync("ms");
        await Expect(view.Page.Locator("#overview")).ToContainTextAsync(new Regex("Calls last [0-9.]+ m?s"));
    }

    [Fact]
    public async Task Pipelines_are_searched_and_those_in_trouble_come_first()
    {
        await using House house = await House.OpenAsync();
        house.Pipeline("orders").Find<CircuitBreaker>()!.Isolate();
        await using View view = await browser.OpenAsync(house.Page);
        ILocator titles = view.Page.Locator("#cards h3");
        await Expect(titles.First).ToBeVisibleAsync();
        int all = await titles.CountAsync();
        all.Should().BeGreaterThan(2);

        await view.Page.Locator("#order").SelectOptionAsync("trouble");
        await Expect(titles.First).ToHaveTextAsync("orders");

        await view.Page.Locator("#search").FillAsync("REHEAR");
        await Expect(titles).ToHaveCountAsync(1);
        await Expect(titles.First).ToHaveTextAsync("rehearsal");
        await view.Page.Locator("#search").FillAsync("no such name");
        await Expect(view.Page.Locator("#no-match")).ToBeVisibleAsync();
        await view.Page.Locator("#search").FillAsync("");
        await Expect(titles).ToHaveCountAsync(all);
        view.Problems.Should().BeEmpty();
    }

    [Fact]
    public async Task A_card_whose_calls_are_rejected_is_not_well_and_a_half_open_circuit_says_whether_it_is_probed()
    {
        await using House house = await House.OpenAsync();
        await using View view = await browser.OpenAsync(house.Page);
        await house.PayAsync();
        house.Break();
        for (int i = 0; i < 3; i++) await house.PayAsync();
        for (int i = 0; i < 20; i++) await house.PayAsync();
        house.Heal();
        house.Time.Skip(TimeSpan.FromHours(2));
        await view.CircuitBecomesAsync(house.Payments, "half-open");
        await Expect(view.Circuit(house.Payments)).ToContainTextAsync("no probe under way, the next call is one");
        await house.PayAsync();
        await view.CircuitBecomesAsync(house.Payments, "closed");

        await Expect(view.Page.Locator($"[data-pipeline='{house.Payments}'] > header .badge")).Not.ToContainTextAsync("well");
    }

    /// <summary>With <c>RESILIENCE_SCREENSHOTS=1</c> these become the pictures of docs/live-page.md.</summary>
    [Fact]
    public async Task The_page_is_drawn_within_its_width_and_shows_minutes_of_traffic_at_once()
    {
        await using House house = await House.OpenAsync(new FakeTimeProvider(new DateTimeOffset(2026, 5, 4, 9, 30, 0, TimeSpan.Zero)));
        await house.LiveAsync();
        (string Name, ColorScheme Scheme, int Width, int Height)[] pictures =
            [("light", ColorScheme.Light, 1280, 1100), ("dark", ColorScheme.Dark, 1280, 1100), ("phone", ColorScheme.Light, 390, 900)];
        foreach ((string name, ColorScheme scheme, int width, int height) in pictures)
        {
            await using View view = await house.WhileTimePassesAsync(browser.OpenAsync(house.Page, width, height, scheme));
            await view.CircuitBecomesAsync(house.Payments, "open");
            await view.Page.Locator("#order").SelectOptionAsync("trouble");
            await Expect(view.Page.Locator("#cards .card").First).ToHaveAttributeAsync("data-state", "tripped");
            await ShowsMinutesAsync(view.Page, house.Payments);

            byte[] picture = await view.Page.ScreenshotAsync();

            picture.Length.Should().BeGreaterThan(20_000, "it is no empty page");
            (await view.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= window.innerWidth")).Should().BeTrue("nothing is cut off");
            if (Environment.GetEnvironmentVariable("RESILIENCE_SCREENSHOTS") == "1")
                await File.WriteAllBytesAsync(Path.Combine(House.Images, $"live-page-{name}.png"), picture);
        }
    }

    /// <summary>What the text beside the pictures claims, of the first viewer.</summary>
    private static async Task ShowsMinutesAsync(IPage page, string payments)
    {
        ILocator card = page.Locator($"[data-pipeline='{payments}']");
        await Expect(page.Locator("#overview")).ToContainTextAsync("3 of 7 not closed");
        await Expect(page.Locator("#overview")).ToContainTextAsync("last 10 s");
        await Expect(card.Locator(".axis").First).ToContainTextAsync("5 min ago");
        await Expect(card.Locator("svg[role=img]").First).ToHaveAttributeAsync("aria-label", new Regex("^Calls in the last 4 min 3\\d s: "));
        await Expect(card.Locator(".times-table tbody tr").First).ToContainTextAsync("last minute");
        await Expect(card.Locator(".times-table tbody tr").Last).ToContainTextAsync(new Regex("last 4 min 3\\d s"));
        await Expect(page.Locator(".entry[data-kind=rejection]")).Not.ToHaveCountAsync(0);
        await Expect(page.Locator(".entry[data-kind=rejection] .trace").First).ToContainTextAsync(new Regex("trace [0-9a-f]{32}"));
    }

    [Fact]
    public async Task The_seconds_that_are_known_are_named_in_the_tiles_as_in_the_cards_and_grow_to_ten()
    {
        FakeTimeProvider time = new(new DateTimeOffset(2026, 5, 4, 9, 30, 0, TimeSpan.Zero));
        await using House house = await House.OpenAsync(time);
        await using View view = await browser.OpenAsync(house.Page);
        ILocator tiles = view.Page.Locator("#overview"), card = view.Page.Locator($"[data-pipeline='{house.Payments}']");
        await Expect(tiles).ToContainTextAsync("Calls–");

        for (int i = 0; i < 13; i++) await house.PayAsync(); // all in the first second of the page
        await SecondsAsync(1);
        await Expect(tiles).ToContainTextAsync("Calls last 1 s13/s");
        await Expect(card.Locator(".now").First).ToContainTextAsync("last 1 s: 13/s");
        await Expect(card.Locator(".times-table tbody tr:visible")).ToHaveCountAsync(1);
        await Expect(card.Locator(".times-table tbody tr").First).ToContainTextAsync(new Regex("last 1(\\.\\d)? s"));

        await SecondsAsync(12);
        await Expect(tiles).ToContainTextAsync("Calls last 10 s0/s");
        await Expect(card.Locator(".now").First).ToContainTextAsync("last 10 s: 0/s");
        await Expect(card.Locator(".times-table tbody tr").First).ToContainTextAsync("last 13 s");
        view.Problems.Should().BeEmpty();

        // To the end of the second that runs, and whole ones after it; each until the page has shown it, which waits a little between two readings.
        async Task SecondsAsync(int count)
        {
            for (int i = 0; i < count; i++)
            {
                DateTimeOffset now = time.GetUtcNow();
                time.SetUtcNow(new DateTimeOffset(now.Ticks - now.Ticks % TimeSpan.TicksPerSecond, TimeSpan.Zero) + TimeSpan.FromSeconds(1));
                Regex shown = new($"^up {(time.GetUtcNow() - time.Start).TotalSeconds}(\\.\\d)? s$");
                for (int nudges = 0; !shown.IsMatch(await view.Page.Locator("#uptime").TextContentAsync() ?? ""); nudges++)
                {
                    if (nudges is 20 or 40) time.Advance(TimeSpan.FromMilliseconds(150));
                    nudges.Should().BeLessThan(600, "the page must show the second that has ended");
                    await Task.Delay(50);
                }
            }
        }
    }

    [Fact]
    public async Task Reduced_motion_shows_none()
    {
        await using House house = await House.OpenAsync();
        await using View still = await browser.OpenAsync(house.Page, motion: ReducedMotion.Reduce), lively = await browser.OpenAsync(house.Page);
        const string Animations = "() => document.getAnimations().length";
        await Expect(lively.Page.Locator("#link[data-state=live]")).ToBeVisibleAsync();
        await Expect(still.Page.Locator("#link[data-state=live]")).ToBeVisibleAsync();
        (await lively.Page.EvaluateAsync<int>(Animations)).Should().BePositive();
        (await still.Page.EvaluateAsync<int>(Animations)).Should().Be(0);
    }

    /// <summary>The dialogue begins at "Cancel"; the next is to do it.</summary>
    private static async Task ConfirmAsync(IPage page)
    {
        await Expect(page.Locator("#ask-no")).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Tab");
        await Expect(page.Locator("#ask-yes")).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#ask")).ToBeHiddenAsync();
    }

    private static async Task TabToAsync(IPage page, string selector)
    {
        await page.Locator(selector).WaitForAsync();
        for (int i = 0; i < 200; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            if (await page.EvaluateAsync<bool>("selector => document.activeElement?.matches(selector) ?? false", selector)) return;
        }

        throw new InvalidOperationException($"The keyboard does not come to {selector}.");
    }
}

using System.Reflection;
using System.Text.RegularExpressions;

namespace Resilience.Tests.Architecture;

/// <summary>Every number and every time that can be set is a bound that a test attacks, or is known to be none.</summary>
public sealed partial class BoundsTests
{
    private static readonly Dictionary<string, string> Attacked = new(StringComparer.Ordinal)
    {
        ["ChaosOptions.Latency"] = "Latencies_stay_in_their_range",
        ["ChaosOptions.MaxLatency"] = "Latencies_stay_in_their_range",
        ["CircuitBreakerOptions.BreakDecay"] = "The_break_grows_with_each_relapse_up_to_its_cap_and_health_takes_the_growth_back",
        ["CircuitBreakerOptions.BreakDuration"] = "The_break_grows_to_its_cap_and_chance_only_shortens_it",
        ["CircuitBreakerOptions.BreakGrowth"] = "The_break_grows_with_each_relapse_up_to_its_cap_and_health_takes_the_growth_back",
        ["CircuitBreakerOptions.BreakJitter"] = "The_break_grows_to_its_cap_and_chance_only_shortens_it",
        ["CircuitBreakerOptions.MaxBreakDuration"] = "The_break_never_exceeds_its_cap_nor_falls_to_nothing_for_any_level",
        ["CircuitBreakerOptions.ConsecutiveFailures"] = "No_failure_is_lost_when_as_many_threads_fail_as_it_takes_to_open",
        ["CircuitBreakerOptions.ConsecutiveFailuresWithin"] = "Failures_in_a_row_within_a_span_slide_with_the_last_failure",
        ["AdaptiveConcurrencyLimitOptions.InitialLimit"] = "In_the_slow_start_the_limit_doubles",
        ["AdaptiveConcurrencyLimitOptions.MinLimit"] = "It_stays_between_its_bounds_and_says_so",
        ["AdaptiveConcurrencyLimitOptions.MaxLimit"] = "It_stays_between_its_bounds_and_says_so",
        ["AdaptiveConcurrencyLimitOptions.Window"] = "A_window_is_over_when_its_time_is_and_it_has_enough_calls",
        ["AdaptiveConcurrencyLimitOptions.MinSamples"] = "A_window_of_ten_calls_is_enough",
        ["AdaptiveConcurrencyLimitOptions.BackoffFactor"] = "Signs_of_overload_shrink_it_by_a_tenth",
        ["AdaptiveConcurrencyLimitOptions.OverloadShare"] = "Signs_of_overload_shrink_it_whatever_the_latency",
        ["AdaptiveConcurrencyLimitOptions.LatencyTarget"] = "Slow_calls_are_a_sign_of_overload",
        ["AdaptiveConcurrencyLimitOptions.SlowShare"] = "Slow_calls_are_a_sign_of_overload",
        ["AdaptiveConcurrencyLimitOptions.Tolerance"] = "Probes_must_measure_less_than_what_is_tolerated",
        ["AdaptiveConcurrencyLimitOptions.ProbeFraction"] = "Probes_must_measure_less_than_what_is_tolerated",
        ["AdaptiveConcurrencyLimitOptions.ProbeInterval"] = "A_probe_is_due_while_calls_are_rejected_or_when_latency_stays_high_and_never_otherwise",
        ["AdaptiveConcurrencyLimitOptions.MaxQueued"] = "A_full_queue_rejects_or_lets_one_of_a_lower_class_go",
        ["AdaptiveConcurrencyLimitOptions.MaxWait"] = "A_wait_ends_with_its_time_its_deadline_or_its_token",
        ["AdaptiveConcurrencyLimitOptions.StandingAfter"] = "A_class_that_was_not_empty_for_long_serves_its_newest_and_rejects_the_old",
        ["AdaptiveConcurrencyLimitOptions.StandingWait"] = "A_class_that_was_not_empty_for_long_serves_its_newest_and_rejects_the_old",
        ["AdaptiveConcurrencyLimitOptions.CriticalShare"] = "Lower_classes_have_a_share_of_the_limit",
        ["AdaptiveConcurrencyLimitOptions.SheddablePlusShare"] = "Lower_classes_have_a_share_of_the_limit",
        ["AdaptiveConcurrencyLimitOptions.SheddableShare"] = "Lower_classes_have_a_share_of_the_limit",
        ["LoadShedderOptions.DoNotRetryAbove"] = "When_many_requests_are_repeated_ones_a_rejection_says_that_the_overload_is_everywhere",
        ["LoadShedderOptions.MinRetryAfter"] = "Times_to_come_back_are_whole_seconds_from_the_least_to_the_greatest",
        ["LoadShedderOptions.MaxRetryAfter"] = "Times_to_come_back_are_whole_seconds_from_the_least_to_the_greatest",
        ["AdaptiveThrottleOptions.K"] = "The_share_follows_from_what_was_sent_and_what_was_accepted",
        ["AdaptiveThrottleOptions.MaxRejection"] = "A_dead_dependency_gets_a_tenth_and_one_that_heals_all_within_the_window",
        ["AdaptiveThrottleOptions.Padding"] = "The_share_follows_from_what_was_sent_and_what_was_accepted",
        ["AdaptiveThrottleOptions.Window"] = "What_is_older_than_the_window_is_forgotten_also_without_calls",
        ["CircuitBreakerOptions.FailureRatio"] = "D10_ratio_is_exact_when_ten_thousand_calls_come_at_one_instant",
        ["CircuitBreakerOptions.MinimumCalls"] = "Too_many_are_bad_from_the_ratio_on_given_enough_calls",
        ["CircuitBreakerOptions.ProbeLease"] = "D4_a_probe_that_never_completes_is_given_up_after_its_lease_and_its_late_result_is_stale",
        ["CircuitBreakerOptions.Probes"] = "D5_exactly_the_permitted_probes_run_when_many_threads_meet_a_due_circuit",
        ["CircuitBreakerOptions.SuccessThreshold"] = "Several_probes_must_succeed_and_the_first_failure_opens_again",
        ["CircuitBreakerOptions.RampDuration"] = "After_closing_the_ramp_admits_a_growing_share",
        ["CircuitBreakerOptions.RampFrom"] = "The_ramp_rises_in_a_straight_line",
        ["CircuitBreakerOptions.SamplingCalls"] = "A_window_over_calls_holds_at_least_the_last_calls_and_at_most_one_bucket_more",
        ["CircuitBreakerOptions.SamplingDuration"] = "Our_window_remembers_up_to_one_bucket_longer",
        ["CircuitBreakerOptions.SlowCallRatio"] = "Slow_calls_open_the_circuit_though_they_succeed",
        ["CircuitBreakerOptions.SlowCallThreshold"] = "Slow_calls_open_the_circuit_though_they_succeed",
        ["EndpointEjectionOptions.Base"] = "The_nth_ejection_takes_n_times_as_long_up_to_the_greatest_and_a_healthy_interval_takes_one_back",
        ["EndpointEjectionOptions.ConsecutiveFailures"] = "Five_failures_in_a_row_leave_an_endpoint_out_and_it_comes_back_by_three_single_calls",
        ["EndpointEjectionOptions.FailureShare"] = "Half_of_ten_is_too_much",
        ["EndpointEjectionOptions.Interval"] = "An_endpoint_that_is_slow_in_two_intervals_is_left_out",
        ["EndpointEjectionOptions.Max"] = "The_nth_ejection_takes_n_times_as_long_up_to_the_greatest_and_a_healthy_interval_takes_one_back",
        ["EndpointEjectionOptions.MaxShare"] = "Threads_leave_out_no_more_than_the_share",
        ["EndpointEjectionOptions.MinEndpoints"] = "Options_out_of_range_are_named",
        ["EndpointEjectionOptions.MinRequests"] = "Half_of_ten_is_too_much",
        ["EndpointEjectionOptions.PanicBelow"] = "All_are_used_when_fewer_than_half_are_well",
        ["EndpointEjectionOptions.SlowFactor"] = "One_is_slow_beside_the_median_of_the_others_and_not_where_all_are",
        ["EndpointSetOptions.DecayTime"] = "A_peak_is_taken_at_once_and_forgotten_slowly",
        ["EndpointSetOptions.SubsetSize"] = "A_process_uses_the_same_part_of_a_list_and_processes_use_all_of_it_evenly",
        ["HedgingOptions.DelayQuantile"] = "Below_the_number_of_samples_the_delay_is_as_set_then_it_is_the_quantile_and_is_computed_once_a_second",
        ["HedgingOptions.MaxDelay"] = "A_greatest_delay_of_its_own_takes_the_place_of_the_delay",
        ["HedgingOptions.MinDelay"] = "It_stays_between_the_least_and_the_greatest",
        ["HedgingOptions.MinSamples"] = "Below_the_number_of_samples_the_delay_is_as_set_then_it_is_the_quantile_and_is_computed_once_a_second",
        ["ConcurrencyLimitOptions.MaxConcurrent"] = "A_storm_of_entering_cancelling_and_timing_out_loses_no_place_and_no_call_waits_for_ever",
        ["ConcurrencyLimitOptions.MaxQueued"] = "A_limit_used_alone_rejects_at_once_or_waits_as_its_queue_says",
        ["ConcurrencyLimitOptions.MaxWait"] = "A_wait_for_a_place_is_no_longer_than_the_call_has_left",
        ["HedgingOptions.Delay"] = "A_hedge_starts_after_the_delay_and_the_first_success_wins_and_the_loser_is_cancelled_and_disposed_of",
        ["HedgingOptions.MaxAttempts"] = "D8_extra_attempts_never_exceed_the_limit_when_ten_thousand_calls_fail_at_once",
        ["IdempotencyOptions.AcquireTimeout"] = "A_duplicate_is_told_busy_when_not_even_the_first_is_answered_in_time",
        ["IdempotencyOptions.FinishTimeout"] = "An_outcome_that_cannot_be_recorded_keeps_its_claim_and_is_given_to_those_that_wait_here",
        ["IdempotencyOptions.Lease"] = "A_call_that_runs_for_ten_leases_keeps_its_claim",
        ["IdempotencyOptions.MaxAttempts"] = "An_operation_that_kills_its_process_is_begun_only_so_often",
        ["IdempotencyOptions.MaxExecution"] = "A_call_that_hangs_does_not_hold_its_key_for_ever",
        ["IdempotencyOptions.MaxWait"] = "Waiting_ends_when_its_time_is_over",
        ["IdempotencyOptions.MaxWaiters"] = "No_more_wait_than_are_allowed_for_one_key_and_in_all",
        ["IdempotencyOptions.MaxWaitersPerKey"] = "No_more_wait_than_are_allowed_for_one_key_and_in_all",
        ["IdempotencyOptions.PurgeInterval"] = "With_an_interval_of_zero_nothing_is_swept",
        ["IdempotencyOptions.ReplayCacheBytes"] = "The_cache_is_bounded_in_entries_and_in_bytes_and_the_oldest_go_first",
        ["IdempotencyOptions.ReplayCacheEntries"] = "The_cache_is_bounded_in_entries_and_in_bytes_and_the_oldest_go_first",
        ["IdempotencyOptions.ReplayCacheTime"] = "A_replay_from_memory_ends_after_its_time_and_never_after_the_record_has_expired",
        ["IdempotencyOptions.Retention"] = "After_the_retention_it_is_a_new_operation",
        ["InMemoryIdempotencyOptions.MaxBytes"] = "Bytes_are_bounded_and_counted_back",
        ["InMemoryIdempotencyOptions.MaxPayloadBytes"] = "A_payload_that_is_too_large_is_rejected_and_changes_nothing",
        ["InMemoryIdempotencyOptions.MaxRecords"] = "Many_threads_keep_the_bound_and_each_key_its_own_values",
        ["RetryBudgetOptions.MinRetriesPerSecond"] = "New_budget_holds_what_the_floor_brings_in_a_window",
        ["RetryBudgetOptions.Ratio"] = "A_budget_holds_retries_to_a_fifth_of_the_calls_while_everything_fails",
        ["RetryBudgetOptions.Window"] = "Savings_expire_when_time_passes",
        ["RetryOptions.BaseDelay"] = "A_wait_is_drawn_below_its_ceiling",
        ["RetryOptions.MaxDelay"] = "No_computed_wait_is_longer_than_the_option_whatever_the_kind",
        ["RetryOptions.MaxRetries"] = "D8_extra_attempts_never_exceed_the_limit_when_ten_thousand_calls_fail_at_once",
        ["RetryOptions.MaxRetryAfter"] = "Pushback_beyond_the_option_is_not_cut_but_ends_the_call",
        ["RetryOptions.RetryAfterJitter"] = "Pushback_is_spread_upwards_and_never_costs_the_retry",
        ["TimeoutOptions.AbandonAfter"] = "A_delegate_that_does_not_honor_its_token_is_left_alone_when_asked_for",
        ["TimeoutOptions.Timeout"] = "Thousands_of_calls_in_flight_end_on_time_and_leave_the_table_bounded",
        ["HttpRequestOverrides.AttemptTimeout"] = "A_request_can_have_times_of_its_own",
        ["HttpRequestOverrides.MaxRetries"] = "A_request_can_have_times_of_its_own",
        ["HttpRequestOverrides.BodyTimeout"] = "A_body_timeout_bounds_every_way_to_read_a_body_that_keeps_talking",
        ["HttpResilienceOptions.BodyTimeout"] = "A_body_timeout_bounds_every_way_to_read_a_body_that_keeps_talking",
        ["HttpRequestOverrides.ReadIdleTimeout"] = "A_body_that_falls_silent_is_cut_by_the_idle_limit_and_one_that_talks_is_not",
        ["HttpRequestOverrides.TotalTimeout"] = "A_request_can_have_times_of_its_own",
        ["HttpResilienceOptions.ReplayBufferBytes"] = "What_is_kept_is_bounded_by_the_client_or_by_the_request",
        ["HttpRequestOverrides.ReplayBufferBytes"] = "What_is_kept_is_bounded_by_the_client_or_by_the_request",
        ["HttpResilienceOptions.BufferRequestBytes"] = "A_one_shot_body_that_fits_is_read_into_memory_when_that_was_asked_for",
        ["HttpResilienceOptions.MaxAuthorities"] = "A_thousand_hosts_take_bounded_memory",
        ["HttpResilienceOptions.MaxBufferedResponseBytes"] = "A_body_that_is_too_large_to_buffer_ends_the_call_and_is_not_retried",
        ["HttpResilienceOptions.MaxNamedAuthorities"] = "Three_hundred_hosts_called_once_make_a_bounded_number_of_series_and_no_phantom",
        ["HttpResilienceOptions.ReadIdleTimeout"] = "A_body_that_falls_silent_is_cut_by_the_idle_limit_and_one_that_talks_is_not",
        ["LongPollOptions.Timeout"] = "A_long_poll_whose_own_time_is_up_is_neither_repeated_nor_counted",
        ["StandardResilienceOptions.AttemptTimeout"] = "Whatever_builds_makes_an_attempt_and_keeps_its_bounds_and_whatever_is_rejected_could_not_have_worked",
        ["StandardResilienceOptions.TotalTimeout"] = "Whatever_builds_makes_an_attempt_and_keeps_its_bounds_and_whatever_is_rejected_could_not_have_worked",
        ["RateLimiterOptions.Permits"] = "No_lease_is_lost_when_64_threads_race_and_calls_fail",
    };

    /// <summary>What is a number and bounds nothing.</summary>
    private static readonly HashSet<string> NoBounds = new(StringComparer.Ordinal)
    {
        "ChaosOptions.Seed", // which calls are disturbed
        "CircuitBreakerOptions.Buckets", // how exactly the window forgets
        "RetryOptions.Factor", // how waits grow, below MaxDelay
    };

    [Fact]
    public void Every_bound_of_the_options_has_a_test_that_attacks_it()
    {
        Type[] all = [.. new[] { typeof(ResiliencePipeline).Assembly, typeof(HttpResilience).Assembly }.SelectMany(a => a.GetExportedTypes())];
        Problems(all, Attacked, Tests()).ShouldBeNone();
        Numbers(all).Should().HaveCountGreaterThan(55);
    }

    /// <summary>The check must see what it is for.</summary>
    [Fact]
    public void A_planted_bound_without_a_test_or_with_a_test_that_is_none_is_found()
    {
        HashSet<string> tests = ["A_real_test"];
        Problems([typeof(PlantedOptions)], new() { ["PlantedOptions.MaxThings"] = "A_real_test" }, tests)
            .Should().BeEquivalentTo("PlantedOptions.Patience has no test that attacks it");
        Problems([typeof(PlantedOptions)],
            new() { ["PlantedOptions.MaxThings"] = "Gone", ["PlantedOptions.Patience"] = "A_real_test", ["PlantedOptions.Former"] = "A_real_test" }, tests)
            .Should().BeEquivalentTo("PlantedOptions.MaxThings names Gone, which is no test", "PlantedOptions.Former is no option");
    }

    private static IEnumerable<string> Problems(Type[] types, Dictionary<string, string> attacked, HashSet<string> tests)
    {
        string[] numbers = [.. Numbers(types)];
        foreach (string number in numbers.Where(n => !attacked.ContainsKey(n) && !NoBounds.Contains(n))) yield return $"{number} has no test that attacks it";
        foreach ((string option, string test) in attacked)
        {
            if (!numbers.Contains(option)) yield return $"{option} is no option";
            else if (!tests.Contains(test)) yield return $"{option} names {test}, which is no test";
        }
    }

    private static IEnumerable<string> Numbers(Type[] types) => types
        .Where(t => t.Name.EndsWith("Options", StringComparison.Ordinal) || t.Name.EndsWith("Overrides", StringComparison.Ordinal))
        .SelectMany(t => t.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(p => p.SetMethod is { IsPublic: true } set && !IsInit(set) && IsNumber(p.PropertyType)).Select(p => $"{t.Name}.{p.Name}"));

    private static bool IsInit(MethodInfo set) =>
        set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(System.Runtime.CompilerServices.IsExternalInit));

    private static bool IsNumber(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) is var t && (t == typeof(TimeSpan) || t == typeof(int) || t == typeof(long) || t == typeof(double));

    private static HashSet<string> Tests() =>
        [.. Repository.Files("tests", "*.cs").SelectMany(f => Method().Matches(File.ReadAllText(f)).Select(m => m.Groups[1].Value))];

    [GeneratedRegex(@"\[(?:Coyote|Postgres|Redis)?(?:Fact|Theory)\b[^\n]*\](?:\s*\[[^\n]*)*\s+(?:public|internal) (?:async )?(?:Task|void) (\w+)\(")]
    private static partial Regex Method();

    private sealed class PlantedOptions
    {
        public int MaxThings { get; set; }

        public TimeSpan? Patience { get; set; }

        public string? Text { get; set; }
    }
}

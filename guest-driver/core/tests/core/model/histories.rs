//! Histories that once were wrong, and random ones.

use super::calls::How;
use super::events::{Event, To, Which, event};
use super::history::run;
use dvs_core::Limits;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const PLAIN: How = How {
    nowait: false,
    sole: false,
};

/// Whichever life has the number.
fn to(ep: usize) -> To {
    To(ep, Which::Any)
}

fn play(events: &[Event]) {
    run(events, Limits::default(), 64, false).unwrap();
}

/// Who wants to leave twice gets the later reason, also if the first wish was granted meanwhile.
#[test]
fn the_later_reason_to_leave_counts() {
    let events = [
        Event::Receive(0, None, false, false),
        Event::Send(4, to(1), PLAIN),
        Event::Rest,
        Event::Cancel(1, true),
        Event::KillVm(2),
        Event::Step(3),
        Event::Sendrec(4, to(0), PLAIN),
        Event::Receive(1, None, false, false),
        Event::Cancel(2, false),
    ];
    play(&events);
}

/// Where a VM has said that an endpoint is not, the directory may have it for a moment longer: that
/// is not remembered.
#[test]
fn the_location_of_a_dying_endpoint_is_not_remembered() {
    let events = [
        Event::Sendrec(5, to(1), PLAIN),
        Event::Receive(1, None, false, false),
        Event::Rest,
        Event::Answer(0, false),
        Event::Rest,
        Event::Send(0, to(5), PLAIN),
        Event::Unbind(5),
        Event::Rest,
        Event::AwaitUnbind(0, 5),
        Event::Answer(0, false),
    ];
    play(&events);
}

/// Nor is it after an answer to one who wanted to leave: a notification would get lost.
#[test]
fn where_an_endpoint_was_not_it_is_not_remembered() {
    let events = [
        Event::Unbind(3),
        Event::Send(0, to(3), PLAIN),
        Event::Step(1),
        Event::Cancel(0, false),
        Event::Rest,
        Event::Notify(0, to(3), 0),
    ];
    play(&events);
}

/// A copy that looks in vain for an endpoint which is just over leaves those alone who wait for its
/// end.
#[test]
fn a_copy_does_not_hide_the_death_of_its_destination() {
    let events = [
        Event::Unbind(3),
        Event::Copy(0, [to(0), to(3)], 0, false),
        Event::Step(1),
        Event::Step(1),
        Event::Step(2),
        Event::Step(1),
        Event::Step(1),
        Event::Step(2),
        Event::Step(1),
        Event::Receive(0, Some(to(3)), false, false),
        Event::Step(1),
        Event::Step(2),
        Event::Rest,
    ];
    play(&events);
}

/// A requester whose own memory is a side may be told of that side's end, not that it is not bound.
#[test]
fn a_requester_may_die_as_a_side() {
    let events = [
        Event::Send(0, to(3), PLAIN),
        Event::Rest,
        Event::Copy(1, [to(3), to(1)], 0, false),
        Event::Silence,
        Event::Unbind(1),
    ];
    play(&events);
}

/// `DVS_CASES` histories, chosen by `DVS_SEED` (decimal): the same ones each time, unless others are
/// asked for.
fn config() -> ProptestConfig {
    let variable = |name| std::env::var(name).ok().and_then(|v| v.parse().ok());
    let seed = variable("DVS_SEED").unwrap_or(1);
    println!("DVS_SEED={seed}");
    ProptestConfig {
        cases: variable("DVS_CASES").map_or(100, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        max_shrink_iters: 4000,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_core_does_what_the_model_allows(events in prop::collection::vec(event(), 1..120)) {
        run(&events, Limits::default(), 64, false)?;
    }

    #[test]
    fn also_with_the_smallest_pools(events in prop::collection::vec(event(), 1..120)) {
        let limits = Limits { credits: 8, window: 32, destinations: 8, ..Limits::default() };
        run(&events, limits, 2, true)?;
    }
}

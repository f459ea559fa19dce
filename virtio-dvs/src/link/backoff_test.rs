use super::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

#[test]
fn pauses_double_up_to_two_seconds_and_half_of_each_is_chance() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut backoff = Backoff::default();
    for milliseconds in [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000] {
        let full = Duration::from_millis(milliseconds);
        let pause = backoff.pause(None, &mut random);
        assert!(pause >= full / 2 && pause <= full, "{pause:?} of {full:?}");
    }
}

#[test]
fn a_session_that_ends_is_dialled_again_at_once() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut backoff = Backoff::default();
    for _ in 0..5 {
        backoff.pause(None, &mut random);
    }
    let lasted = Some(Duration::from_secs(2));
    assert_eq!(backoff.pause(lasted, &mut random), Duration::ZERO);
    assert!(backoff.pause(None, &mut random) > Duration::ZERO);
}

#[test]
fn a_session_that_ends_again_and_again_is_not() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut backoff = Backoff::default();
    let lasted = Some(Duration::from_millis(1));
    assert_eq!(backoff.pause(lasted, &mut random), Duration::ZERO);
    for _ in 0..20 {
        assert!(backoff.pause(lasted, &mut random) > Duration::ZERO);
    }
    assert!(backoff.pause(lasted, &mut random) >= Duration::from_secs(1));
}

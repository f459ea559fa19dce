use super::*;
use proptest::prelude::*;

#[test]
fn nothing_waits_without_a_cap() {
    let mut pacer = Pacer::new(None);
    pacer.sent(Duration::ZERO, u64::MAX);
    assert_eq!(pacer.wait(Duration::ZERO), None);
}

#[test]
fn a_cap_of_nothing_still_lets_something_through() {
    let mut pacer = Pacer::new(Some(0));
    pacer.sent(Duration::ZERO, SLOWEST);
    assert_eq!(pacer.wait(Duration::ZERO), Some(Duration::from_secs(1)));
}

#[test]
fn rates_at_the_edges() {
    assert_eq!(duration_of(1, 0), Duration::from_nanos(u64::MAX));
    assert_eq!(duration_of(1000, 1000), Duration::from_secs(1));
    assert_eq!(per_second(1000, Duration::ZERO), 1_000_000_000);
    assert_eq!(per_second(u64::MAX, Duration::ZERO), u64::MAX);
}

proptest! {
    #[test]
    fn the_cap_holds_over_time(
        rate in SLOWEST..1 << 32,
        batches in prop::collection::vec((1..4u64 << 20, 0..200u64), 1..200),
    ) {
        let mut pacer = Pacer::new(Some(rate));
        let (mut now, mut sent, mut last) = (BURST, 0u64, 0);
        for (bytes, idle) in batches {
            now += Duration::from_millis(idle);
            now = pacer.wait(now).unwrap_or(now);
            sent += bytes;
            last = bytes;
            pacer.sent(now, bytes);
        }
        // What was sent before the last batch is paid for, but for one burst.
        let paid = duration_of(sent - last, rate);
        prop_assert!(now + Duration::from_micros(1) >= paid, "{sent} bytes by {now:?}");
    }
}

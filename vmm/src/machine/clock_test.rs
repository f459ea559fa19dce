use super::*;

#[test]
fn a_counter_goes_on_with_the_clock() {
    let moment = Moment {
        clock: Duration::from_secs(1),
        tsc: 7,
    };
    assert_eq!(moment.tsc_at(Duration::from_secs(1), 2_000_000), 7);
    assert_eq!(
        moment.tsc_at(Duration::from_millis(1001), 2_000_000),
        2_000_007
    );
    // A clock that shows an earlier time is no reason to jump back.
    assert_eq!(moment.tsc_at(Duration::ZERO, 2_000_000), 7);
    // Whatever comes from outside, it is a number.
    moment.tsc_at(Duration::MAX, u32::MAX);
}

#[test]
fn a_pause_is_believed_only_while_it_can_be_one() {
    let second = Duration::from_secs(1);
    assert_eq!(pause(second, 3 * second), Some(2 * second));
    assert_eq!(pause(3 * second, second), Some(Duration::ZERO));
    assert_eq!(pause(second, 2 * second + LONGEST_PAUSE), None);
}

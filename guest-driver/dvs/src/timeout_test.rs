use super::*;

#[test]
fn timeouts_in_milliseconds() {
    assert_eq!(Timeout::Forever.millis(), -1);
    assert_eq!(Timeout::NoWait.millis(), 0);
    assert_eq!(Timeout::After(Duration::from_millis(5)).millis(), 5);
    // A time that was given must neither become "no wait" nor end too early.
    assert_eq!(Timeout::After(Duration::ZERO).millis(), 1);
    assert_eq!(Timeout::from(Duration::from_micros(1001)).millis(), 2);
    assert_eq!(Timeout::After(Duration::MAX).millis(), i64::MAX);
}

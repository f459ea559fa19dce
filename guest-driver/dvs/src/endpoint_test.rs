use super::*;

#[test]
fn timeouts_in_milliseconds() {
    assert_eq!(Timeout::Forever.millis(), -1);
    assert_eq!(Timeout::NoWait.millis(), 0);
    assert_eq!(Timeout::After(Duration::from_millis(5)).millis(), 5);
    // A time that was given must neither become "no wait" nor end too early.
    assert_eq!(Timeout::After(Duration::ZERO).millis(), 1);
    assert_eq!(Timeout::After(Duration::from_micros(1001)).millis(), 2);
    assert_eq!(Timeout::After(Duration::MAX).millis(), i64::MAX);
}

#[test]
fn a_length_beyond_the_buffer_is_cut() {
    let io = sys::Io {
        recv_len: u32::MAX,
        from: 7,
        ..sys::Io::default()
    };
    let message = message(&io, [1; sys::MESSAGE_MAX]);
    assert_eq!(message.bytes().len(), sys::MESSAGE_MAX);
    assert_eq!(message.from(), 7.into());
}

#[test]
fn endpoints_may_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Endpoint>();
    shared::<Received<'_>>();
}

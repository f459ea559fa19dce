use super::*;

#[test]
fn endpoints_may_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Endpoint>();
    shared::<Received<'_>>();
}

#[test]
fn a_call_says_nothing_that_was_not_asked() {
    let io = io_to(Address::from(7), Timeout::NoWait);
    assert_eq!((io.ep, io.generation, io.timeout_ms), (7, 0, 0));
    assert_eq!((io.id, io.flags, io.token, io.from), (0, 0, 0, 0));
}

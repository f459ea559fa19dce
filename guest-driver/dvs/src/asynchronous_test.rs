use super::*;

#[test]
fn endpoints_and_requests_may_change_tasks() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<AsyncEndpoint>();
    shared::<AsyncReceived>();
}

#[test]
fn futures_may_change_threads() {
    fn sent<T: Send>(_: &T) {}
    fn all(endpoint: &AsyncEndpoint) {
        sent(&endpoint.receive());
        sent(&endpoint.sendrec(10, *b"x", Timeout::NoWait));
        sent(&endpoint.serve(1, |request| async move { request }));
    }
    let _ = all;
}

#[test]
fn a_client_that_has_left_does_not_end_a_server() {
    assert!(answered(Ok(Err(Error::NotWaiting))).is_ok());
    assert!(answered(Ok(Ok(()))).is_ok());
    assert!(answered(Ok(Err(Error::MessageSize))).is_err());
}

#[test]
fn calls_run_on_threads() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let result: Result<i32, Error> = runtime.block_on(on_a_thread(|| Ok(7)));
    assert_eq!(result.unwrap(), 7);
    let result: Result<(), Error> = runtime.block_on(on_a_thread(|| Err(Error::TimedOut)));
    assert!(matches!(result, Err(Error::TimedOut)));
}

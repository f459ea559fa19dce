use std::sync::mpsc::channel;

use super::*;

#[test]
fn jobs_are_done_in_order() {
    let worker = Worker::start("test").unwrap();
    let (sender, done) = channel();
    for number in 0..10 {
        let sender = sender.clone();
        worker.run(move || sender.send(number).unwrap());
    }
    assert!(worker.finish(Duration::from_secs(60)));
    assert_eq!(
        done.try_iter().collect::<Vec<_>>(),
        (0..10).collect::<Vec<_>>()
    );
}

#[test]
fn a_job_that_hangs_is_not_waited_for() {
    let worker = Worker::start("test").unwrap();
    let (release, released) = channel::<()>();
    worker.run(move || {
        let _ = released.recv();
    });
    assert!(!worker.finish(Duration::from_millis(1)));
    drop(release);
    assert!(worker.finish(Duration::from_secs(60)));
}

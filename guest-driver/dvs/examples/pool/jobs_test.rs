use super::*;

#[test]
fn an_idle_worker_is_woken_once() {
    let mut jobs = Jobs::new(10);
    assert_eq!(jobs.next('w'), None);
    assert_eq!(jobs.wake(), None, "nothing to do");
    jobs.add(1).unwrap();
    assert_eq!(jobs.wake(), Some('w'));
    assert_eq!(jobs.wake(), None);
    assert_eq!(jobs.next('w'), Some(&1));
    assert_eq!(jobs.finished('w'), Some(1));
    assert_eq!(jobs.finished('w'), None);
}

#[test]
fn jobs_of_a_lost_worker_come_first() {
    let mut jobs = Jobs::new(10);
    jobs.add(1).unwrap();
    jobs.add(2).unwrap();
    assert_eq!(jobs.next('a'), Some(&1));
    assert_eq!(jobs.workers(), ['a']);
    jobs.lost('a');
    assert_eq!(jobs.waiting(), 2);
    assert_eq!(jobs.next('b'), Some(&1));
    assert_eq!(jobs.next('c'), Some(&2));
}

#[test]
fn a_worker_that_forgot_its_job_gets_it_again() {
    let mut jobs = Jobs::new(10);
    jobs.add(1).unwrap();
    assert_eq!(jobs.next('a'), Some(&1));
    assert_eq!(jobs.next('a'), Some(&1));
}

#[test]
fn too_many_jobs() {
    let mut jobs: Jobs<char, _> = Jobs::new(1);
    jobs.add(1).unwrap();
    assert_eq!(jobs.add(2), Err(2));
}

use std::time::Instant;

use super::super::tests::{endpoint, link, sample};
use super::*;

#[test]
fn rates_need_two_looks_and_vms_are_sorted_by_them() {
    let start = Instant::now();
    let mut history = History::new(Sort::Frames);
    let first = history.add(sample(start, &[(1, 100), (2, 100)]));
    assert!(first.vms.iter().all(|row| row.rates.is_none()));
    let later = start + Duration::from_secs(2);
    let mut picture = history.add(sample(later, &[(1, 102), (2, 140), (3, 7)]));
    let shown: Vec<_> = picture
        .vms
        .iter()
        .map(|row| (row.vm, row.rates.map(|it| it.frames_in)))
        .collect();
    assert_eq!(shown, [(2, Some(20.0)), (1, Some(1.0)), (3, None)]);
    picture.sort(Sort::Vm);
    let numbers: Vec<_> = picture.vms.iter().map(|row| row.vm).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn links_have_rates_too() {
    let start = Instant::now();
    let mut history = History::new(Sort::Vm);
    let with = |at, frames| {
        let mut sample = sample(at, &[]);
        sample.links = vec![link(7, frames)];
        sample
    };
    history.add(with(start, 10));
    let picture = history.add(with(start + Duration::from_secs(1), 15));
    assert_eq!(picture.links[0].rates.unwrap().frames_in, 5.0);
}

#[test]
fn deadlocks_come_first_and_then_those_that_wait_longest() {
    let start = Instant::now();
    let mut history = History::new(Sort::Vm);
    let with = |at, endpoints: &[EndpointInfo]| {
        let mut sample = sample(at, &[]);
        sample.endpoints = endpoints.to_vec();
        sample
    };
    let old = endpoint(1, 10, "RECEIVING", None, 0);
    history.add(with(start, std::slice::from_ref(&old)));
    let runs = endpoint(1, 11, "RUNNING", None, 0);
    let mut stuck = endpoint(1, 12, "SENDING", Some(12), 0);
    stuck.deadlock = true;
    let later = start + Duration::from_secs(9);
    let picture = history.add(with(later, &[runs, old, stuck]));
    let shown: Vec<_> = picture
        .endpoints
        .iter()
        .map(|row| (row.info.endpoint, row.waited))
        .collect();
    let waited = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(shown, [(12, waited(0)), (10, waited(9)), (11, None)]);
    let json = serde_json::to_value(&picture).unwrap();
    assert_eq!(json["endpoints"][1]["waited_ms"], 9000);
    assert_eq!(json["endpoints"][1]["endpoint"], 10);
}

use super::*;
use crate::machine::memory;
use std::os::unix::fs::FileExt;

fn collected(log: &DirtyLog) -> Vec<u64> {
    let mut pages = Vec::new();
    log.collect(&mut |page| pages.push(page));
    pages
}

#[test]
fn bits_are_pages_and_each_is_told_once() {
    let memory = memory::create(16 << 20).unwrap();
    let log = DirtyLog::new(&memory).unwrap();
    assert_eq!(log.region().mmap_size, (16 << 20) / 4096 / 8);
    assert!(collected(&log).is_empty());
    // As the node does it, through a mapping of its own.
    log.file.write_at(&[0b1000_0001], 0).unwrap();
    log.file.write_at(&[1], 9).unwrap();
    log.file.write_at(&[0x80], 511).unwrap();
    assert_eq!(collected(&log), [0, 7, 72, 4095]);
    assert!(collected(&log).is_empty());
}

#[test]
fn nobody_can_shorten_it() {
    let memory = memory::create(1 << 20).unwrap();
    let log = DirtyLog::new(&memory).unwrap();
    assert!(log.file.set_len(0).is_err());
}

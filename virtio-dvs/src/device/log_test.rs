use super::*;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::os::unix::fs::FileExt;

/// A file for a log, of which the test sees what the VMM sees.
fn file(size: u64) -> File {
    let fd = memfd_create("log", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&fd, size).unwrap();
    fd.into()
}

fn map(file: &File, offset: u64, size: u64) -> Result<LogBits, LogError> {
    LogBits::map(file.try_clone().unwrap(), offset, size, false)
}

/// Pages whose bits are set, as a VMM reads them.
fn marked(file: &File) -> Vec<u64> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let bits = (0..).zip(&bytes).flat_map(|(at, byte)| {
        (0..8)
            .filter(move |bit| byte & (1 << bit) != 0)
            .map(move |bit| 8 * at + bit)
    });
    bits.collect()
}

#[test]
fn one_bit_for_each_page_that_was_touched() {
    let file = file(4096);
    let log = Arc::new(DirtyLog::default());
    let low = RegionLog::new(log.clone(), 0);
    let high = RegionLog::new(log.clone(), 0x10_0000);
    low.mark_dirty(0, 1);
    log.replace(map(&file, 0, 4096).unwrap());
    low.mark_dirty(0, 1);
    assert!(marked(&file).is_empty(), "it is off");
    log.switch(true);
    low.mark_dirty(0xfff, 1);
    low.mark_dirty(0x1fff, 2);
    low.mark_dirty(0x5000, 0);
    high.mark_dirty(0x1000, 0x2001);
    high.slice_at(0x7000).slice_at(0x800).mark_dirty(0x7ff, 2);
    assert_eq!(marked(&file), [0, 1, 2, 0x101, 0x102, 0x103, 0x107, 0x108]);
    assert!(low.dirty_at(0x2fff) && !low.dirty_at(0x3000));
    // Behind the last bit there is nothing to mark, and nothing happens.
    low.mark_dirty(usize::MAX, usize::MAX);
    low.mark_dirty(8 * 4096 * 4096, 4096);
    assert_eq!(marked(&file).len(), 8);
}

#[test]
fn whoever_switches_it_off_is_not_written_to_any_more() {
    let (first, second) = (file(4096), file(4096));
    let log = Arc::new(DirtyLog::default());
    let region = RegionLog::new(log.clone(), 0);
    log.replace(map(&first, 0, 4096).unwrap());
    log.switch(true);
    log.switch(true);
    log.replace(map(&second, 0, 4096).unwrap());
    region.mark_dirty(0, 1);
    assert_eq!((marked(&first).len(), marked(&second).len()), (0, 1));
    log.switch(false);
    log.switch(true);
    region.mark_dirty(0x1000, 1);
    assert_eq!(marked(&second), [0]);
    assert_eq!(log.covers(0), None);
}

#[test]
fn logs_that_are_refused() {
    let good = file(8192);
    assert!(map(&good, 4096, 4096).unwrap().covers(8 * 4096 * 4096));
    assert!(!map(&good, 0, 4096).unwrap().covers(8 * 4096 * 4096 + 1));
    assert!(map(&good, 0, 1).unwrap().covers(8 * 4096));
    // Mappings begin at pages.
    assert!(matches!(map(&good, 8, 8), Err(LogError::Map(_))));
    assert!(matches!(map(&good, 0, 0), Err(LogError::Map(_))));
    for (offset, size) in [(0, 8193), (8192, 1), (u64::MAX, 2), (4096, u64::MAX)] {
        assert!(matches!(map(&good, offset, size), Err(LogError::NotThere)));
    }
    // It cannot be shortened any more, and one that could be is refused.
    assert!(good.set_len(0).is_err());
    let unsealed = tempfile::tempfile().unwrap();
    unsealed.set_len(4096).unwrap();
    assert!(matches!(map(&unsealed, 0, 4096), Err(LogError::Unsealed)));
    assert!(LogBits::map(unsealed, 0, 4096, true).is_ok());
    let pipe = File::from(std::os::fd::OwnedFd::from(std::io::pipe().unwrap().0));
    let done = LogBits::map(pipe, 0, 4096, true);
    assert!(matches!(done, Err(LogError::NotThere)));
    // A file need not have the memory that it says, but the address space is everybody's.
    let huge = map(&file(LOG_SIZE_MAX + 4096), 0, LOG_SIZE_MAX + 4096);
    assert!(matches!(huge, Err(LogError::TooLarge(_))));
}

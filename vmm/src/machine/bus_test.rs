use std::sync::Mutex;

use super::*;

#[derive(Default)]
struct Recorder(Mutex<Vec<(u64, Vec<u8>)>>);

impl BusDevice for Recorder {
    fn read(&self, offset: u64, data: &mut [u8]) {
        data.fill(u8::try_from(offset).unwrap());
    }
    fn write(&self, offset: u64, data: &[u8]) {
        self.0.lock().unwrap().push((offset, data.to_vec()));
    }
}

#[test]
fn accesses_find_their_device() {
    let (a, b) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    let mut bus = Bus::default();
    bus.insert("b", 0x20, 0x10, b.clone()).unwrap();
    bus.insert("a", 0x10, 0x10, a.clone()).unwrap();
    bus.write(0x12, &[7]);
    bus.write(0x2f, &[8]);
    assert_eq!(*a.0.lock().unwrap(), [(2, vec![7])]);
    assert_eq!(*b.0.lock().unwrap(), [(0xf, vec![8])]);
    let mut data = [0; 2];
    bus.read(0x24, &mut data);
    assert_eq!(data, [4, 4]);
}

#[test]
fn accesses_to_nobody_and_across_the_end_are_floating() {
    let mut bus = Bus::default();
    let device = Arc::new(Recorder::default());
    bus.insert("a", 0x10, 0x10, device.clone()).unwrap();
    for (address, len) in [(0x1e, 4), (0xf, 1), (0x20, 1), (u64::MAX, 8)] {
        let mut data = vec![0; len];
        bus.read(address, &mut data);
        assert!(data.iter().all(|b| *b == 0xff));
        bus.write(address, &data);
    }
    assert!(device.0.lock().unwrap().is_empty());
}

#[test]
fn overlaps_are_refused() {
    let mut bus = Bus::default();
    let device = Arc::new(Recorder::default());
    bus.insert("a", 0x10, 0x10, device.clone()).unwrap();
    for (start, len) in [(0x10, 1), (0x1f, 1), (0x8, 9), (0x0, 0x100)] {
        assert!(bus.insert("b", start, len, device.clone()).is_err());
    }
}

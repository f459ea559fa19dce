use super::*;
use crate::devices::virtio::DeviceBroken;
use crate::machine::fake::{FakeDoorbells, FakeInterrupts};
use crate::machine::memory;

const VERSION_1: u64 = 1 << 32;

#[derive(Default)]
struct Fake {
    active: Mutex<Option<(Activation, Arc<dyn DriverNotice>)>>,
    broken: bool,
}

impl VirtioDevice for Fake {
    fn device_type(&self) -> u16 {
        63
    }
    fn queue_sizes(&self) -> &[u16] {
        &[64, 64]
    }
    fn features(&self) -> u64 {
        VERSION_1
    }
    fn read_config(&self, offset: u64, data: &mut [u8]) {
        data.fill(u8::try_from(offset & 0xff).unwrap());
    }
    fn write_config(&self, _offset: u64, _data: &[u8]) {}
    fn activate(
        &self,
        activation: Activation,
        notice: Arc<dyn DriverNotice>,
    ) -> Result<(), DeviceBroken> {
        if self.broken {
            return Err(DeviceBroken("as the test asks".into()));
        }
        *self.active.lock().unwrap() = Some((activation, notice));
        Ok(())
    }
    fn reset(&self) {
        *self.active.lock().unwrap() = None;
    }
}

struct Setup {
    device: Arc<Fake>,
    doorbells: Arc<FakeDoorbells>,
    interrupts: Arc<FakeInterrupts>,
    pci: Arc<VirtioPci>,
}

fn setup(broken: bool) -> Setup {
    let device = Arc::new(Fake {
        broken,
        ..Fake::default()
    });
    let doorbells = Arc::new(FakeDoorbells::default());
    let interrupts = Arc::new(FakeInterrupts::default());
    let wiring = Wiring {
        interrupts: interrupts.clone(),
        doorbells: doorbells.clone(),
        memory: memory::create(16 << 20).unwrap(),
    };
    let pci = VirtioPci::new(device.clone(), Place::first(), wiring).unwrap();
    Setup {
        device,
        doorbells,
        interrupts,
        pci,
    }
}

/// What a driver does up to DRIVER_OK, with queue 0 on vector 1.
fn drive(pci: &VirtioPci) {
    let write = |offset, data: &[u8]| pci.write_bar(MEMORY_BAR, COMMON + offset, data);
    write(0x14, &[3]);
    write(8, &1u32.to_le_bytes());
    write(12, &1u32.to_le_bytes());
    write(0x14, &[11]);
    write(0x10, &0u16.to_le_bytes());
    write(0x16, &0u16.to_le_bytes());
    write(0x1a, &1u16.to_le_bytes());
    write(0x20, &0x1000u64.to_le_bytes());
    write(0x1c, &1u16.to_le_bytes());
    write(0x14, &[15]);
}

fn status(pci: &VirtioPci) -> u8 {
    let mut byte = [0];
    pci.read_bar(MEMORY_BAR, COMMON + 0x14, &mut byte);
    byte[0]
}

/// The capabilities: offset and ID.
fn capabilities(pci: &VirtioPci) -> Vec<(usize, u8)> {
    let byte = |offset| {
        let mut data = [0];
        pci.read_config(offset, &mut data);
        data[0]
    };
    let mut found = Vec::new();
    let mut at = usize::from(byte(0x34));
    while at != 0 && found.len() < 16 {
        found.push((at, byte(at)));
        at = usize::from(byte(at + 1));
    }
    found
}

#[test]
fn the_standard_capabilities_are_there() {
    let Setup { pci, .. } = setup(false);
    let ids: Vec<_> = capabilities(&pci).iter().map(|(_, id)| *id).collect();
    assert_eq!(ids, [9, 9, 9, 9, 9, 0x11]);
    let kinds: Vec<_> = capabilities(&pci)
        .iter()
        .filter(|(_, id)| *id == 9)
        .map(|(at, _)| {
            let mut data = [0; 2];
            pci.read_config(at + 2, &mut data);
            data[1]
        })
        .collect();
    assert_eq!(kinds, [1, 3, 4, 2, 5]);
}

#[test]
fn a_ready_driver_activates_the_device_with_its_queues() {
    let Setup { device, pci, .. } = setup(false);
    drive(&pci);
    assert_eq!(status(&pci), 15);
    {
        let active = device.active.lock().unwrap();
        let (activation, _) = active.as_ref().unwrap();
        assert_eq!(
            (activation.features, activation.queues.len()),
            (VERSION_1, 1)
        );
        assert_eq!(
            (activation.queues[0].size, activation.queues[0].descriptors),
            (64, 0x1000)
        );
    }
    pci.write_bar(MEMORY_BAR, COMMON + 0x14, &[0]);
    assert!(device.active.lock().unwrap().is_none());
    assert_eq!(status(&pci), 0);
}

#[test]
fn a_device_that_cannot_start_asks_for_a_reset() {
    let Setup { pci, .. } = setup(true);
    drive(&pci);
    assert_eq!(status(&pci) & STATUS_NEEDS_RESET, STATUS_NEEDS_RESET);
    assert!(pci.msix.event(0).unwrap().read().is_ok());
}

#[test]
fn doorbells_follow_their_bar() {
    let Setup { doorbells, pci, .. } = setup(false);
    assert!(doorbells.ports().is_empty());
    pci.write_config(4, &[1, 0]);
    assert_eq!(doorbells.ports(), [0xc000, 0xc004]);
    pci.write_config(0x14, &0xd000u32.to_le_bytes());
    assert_eq!(doorbells.ports(), [0xd000, 0xd004]);
    pci.write_config(4, &[0, 0]);
    assert!(doorbells.ports().is_empty());
}

#[test]
fn a_doorbell_that_kvm_does_not_have_rings_all_the_same() {
    let Setup { device, pci, .. } = setup(false);
    drive(&pci);
    pci.write_bar(PORT_BAR, 0, &[0, 0]);
    pci.write_bar(PORT_BAR, 28, &[0, 0]);
    let active = device.active.lock().unwrap();
    assert_eq!(active.as_ref().unwrap().0.queues[0].kick.read().unwrap(), 1);
}

#[test]
fn a_change_of_configuration_has_a_new_generation_and_an_interrupt() {
    let Setup {
        device,
        pci,
        interrupts,
        ..
    } = setup(false);
    let (msix, _) = *capabilities(&pci).last().unwrap();
    pci.write_config(msix + 2, &0x8000u16.to_le_bytes());
    pci.write_bar(MEMORY_BAR, TABLE + 12, &0u32.to_le_bytes());
    assert_eq!(interrupts.connected().len(), 1);
    drive(&pci);
    let notice = device.active.lock().unwrap().as_ref().unwrap().1.clone();
    notice.config_changed();
    let mut generation = [0];
    pci.read_bar(MEMORY_BAR, COMMON + 0x15, &mut generation);
    assert_eq!(generation, [1]);
    assert!(pci.msix.event(0).unwrap().read().is_ok());
}

#[test]
fn the_window_in_configuration_space_reaches_the_bars() {
    let Setup { pci, .. } = setup(false);
    let window = pci.window_at;
    pci.write_config(window + 4, &[0]);
    pci.write_config(window + 8, &0x14u32.to_le_bytes());
    pci.write_config(window + 12, &1u32.to_le_bytes());
    pci.write_config(window + 16, &[3]);
    assert_eq!(status(&pci), 3);
    let mut byte = [0];
    pci.read_config(window + 16, &mut byte);
    assert_eq!(byte, [3]);
    for (bar, offset, len) in [
        (7u8, 0u32, 4u32),
        (0, 0x7fff, 4),
        (0, 2, 4),
        (0, u32::MAX, 1),
        (1, 32, 2),
        (0, 0, 9),
    ] {
        pci.write_config(window + 4, &[bar]);
        pci.write_config(window + 8, &offset.to_le_bytes());
        pci.write_config(window + 12, &len.to_le_bytes());
        pci.write_config(window + 16, &vec![0xff; len as usize]);
        pci.read_config(window + 16, &mut vec![0; len as usize]);
    }
    assert_eq!(status(&pci), 3);
}

#[test]
fn nonsense_all_over_the_bars_is_harmless() {
    let Setup { pci, .. } = setup(false);
    for bar in 0..7 {
        for offset in (0..0x8000).step_by(0x3fd) {
            for len in [1, 2, 4, 8] {
                pci.write_bar(bar, offset, &vec![0xff; len]);
                pci.read_bar(bar, offset, &mut vec![0; len]);
            }
        }
    }
    for offset in 0..256 {
        pci.write_config(offset, &[0xa5; 4]);
    }
}

#[test]
fn a_started_device_starts_again_elsewhere() {
    use crate::machine::persist::Persist;
    let source = setup(false);
    let (msix, _) = *capabilities(&source.pci).last().unwrap();
    source.pci.write_config(4, &[7, 0]);
    source.pci.write_config(msix + 2, &0x8000u16.to_le_bytes());
    for (offset, value) in [(0u64, 0xfee0_0000u32), (8, 0x41), (12, 0)] {
        source
            .pci
            .write_bar(MEMORY_BAR, TABLE + 16 + offset, &value.to_le_bytes());
    }
    drive(&source.pci);
    let state = source.pci.save().unwrap();
    let copy = setup(false);
    copy.pci.load(&state).unwrap();
    assert_eq!(copy.pci.save().unwrap(), state);
    assert_eq!(copy.doorbells.ports(), source.doorbells.ports());
    assert_eq!(copy.interrupts.connected(), source.interrupts.connected());
    let active = copy.device.active.lock().unwrap();
    let (activation, _) = active.as_ref().unwrap();
    assert_eq!(activation.features, VERSION_1);
    assert_eq!(activation.queues[0].descriptors, 0x1000);
    // Its signals are those of the new machine.
    activation.queues[0].call.write(1).unwrap();
    assert_eq!(copy.pci.msix.event(1).unwrap().read().unwrap(), 1);
    drop(active);
    assert!(setup(true).pci.load(&state).is_err());
}

#[test]
fn doorbells_are_connected_before_they_are_needed() {
    use crate::machine::persist::Persist;
    let copy = setup(false);
    copy.pci.load(&copy.pci.save().unwrap()).unwrap();
    assert_eq!(copy.doorbells.ports(), [0xc000, 0xc004]);
    let source = setup(false);
    source.pci.write_config(4, &[1, 0]);
    copy.pci.load(&source.pci.save().unwrap()).unwrap();
    assert_eq!(copy.doorbells.ports(), [0xc000, 0xc004]);
    assert_eq!(copy.doorbells.connections(), 2, "each of them once");
    copy.pci.write_config(4, &[0, 0]);
    assert!(copy.doorbells.ports().is_empty());
    // They follow what is loaded.
    source.pci.write_config(0x14, &0xd000u32.to_le_bytes());
    copy.pci.load(&source.pci.save().unwrap()).unwrap();
    assert_eq!(copy.doorbells.ports(), [0xd000, 0xd004]);
}

#[test]
fn a_device_that_was_not_started_is_not_started_elsewhere() {
    use crate::machine::persist::Persist;
    let copy = setup(false);
    copy.pci.load(&setup(false).pci.save().unwrap()).unwrap();
    assert!(copy.device.active.lock().unwrap().is_none());
    assert_eq!(status(&copy.pci), 0);
}

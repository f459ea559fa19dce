//! What the configuration space of a virtio function says: identity, BARs, and where the structures are.

use super::common;
use super::pci::{
    COMMON, DEVICE, DOORBELL_STRIDE, ISR, MEMORY_BAR, MEMORY_SIZE, PAGE, PENDING, PORT_BAR, PORTS,
    Place, TABLE, low32,
};
use crate::machine::pci::Space;
use crate::machine::pci::config::{ConfigSpace, Identity};
use crate::machine::pci::msix;

const VENDOR: u16 = 0x1af4;
const FIRST_MODERN_ID: u16 = 0x1040;
const CLASS_OTHER: u32 = 0x08_80_00;
const VENDOR_CAPABILITY: u8 = 9;

/// Identity, BARs and capabilities; also says where the MSI-X and the configuration access capability are.
pub fn config_space(device_type: u16, vectors: u16, place: Place) -> (ConfigSpace, usize, usize) {
    const CAP_COMMON: u8 = 1;
    const CAP_NOTIFY: u8 = 2;
    const CAP_ISR: u8 = 3;
    const CAP_DEVICE: u8 = 4;
    const CAP_CONFIG_ACCESS: u8 = 5;
    let mut space = ConfigSpace::new(Identity {
        vendor: VENDOR,
        device: FIRST_MODERN_ID + device_type,
        subsystem: device_type,
        class: CLASS_OTHER,
        revision: 1,
    });
    space.add_bar(MEMORY_BAR, Space::Memory, MEMORY_SIZE, place.memory);
    space.add_bar(PORT_BAR, Space::Io, PORTS, place.port);
    for (kind, offset) in [(CAP_COMMON, COMMON), (CAP_ISR, ISR), (CAP_DEVICE, DEVICE)] {
        let len = if kind == CAP_COMMON {
            common::SIZE as u64
        } else {
            PAGE
        };
        space.add_capability(
            VENDOR_CAPABILITY,
            &capability(kind, MEMORY_BAR, low32(offset), low32(len), &[]),
            &[],
        );
    }
    let stride = DOORBELL_STRIDE.to_le_bytes();
    space.add_capability(
        VENDOR_CAPABILITY,
        &capability(CAP_NOTIFY, PORT_BAR, 0, PORTS, &stride),
        &[],
    );
    let body = capability(CAP_CONFIG_ACCESS, MEMORY_BAR, 0, 0, &[0; 4]);
    // BAR number, offset, length and data are the driver's.
    let writable = [&[0, 0, 0xff, 0, 0, 0][..], &[0xff; 12]].concat();
    let window_at = space.add_capability(
        VENDOR_CAPABILITY,
        &body,
        writable.get(..).unwrap_or_default(),
    );
    let body = msix::capability(vectors, MEMORY_BAR, low32(TABLE), low32(PENDING));
    let msix_at = space.add_capability(
        msix::CAPABILITY,
        &body,
        &msix::CONTROL_WRITABLE.to_le_bytes(),
    );
    (space, msix_at, window_at)
}

/// The body of a virtio capability (section 4.1.4) after its two-byte PCI header.
fn capability(kind: u8, bar: usize, offset: u32, len: u32, more: &[u8]) -> Vec<u8> {
    let byte = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    let head = [byte(16 + more.len()), kind, byte(bar), 0, 0, 0];
    [&head[..], &offset.to_le_bytes(), &len.to_le_bytes(), more].concat()
}

use super::*;

fn machine() -> (Bus, Bus) {
    let (mut ports, mut mmio) = (Bus::default(), Bus::default());
    let mut root = Root::default();
    root.add(Arc::new(HostBridge::default()));
    Arc::new(root).connect(&mut ports, &mut mmio).unwrap();
    (ports, mmio)
}

fn by_ports(ports: &Bus, address: u32) -> u32 {
    ports.write(0xcf8, &address.to_le_bytes());
    let mut data = [0; 4];
    ports.read(0xcfc, &mut data);
    u32::from_le_bytes(data)
}

#[test]
fn the_bridge_is_found_both_ways() {
    let (ports, mmio) = machine();
    assert_eq!(by_ports(&ports, 0x8000_0000), 0x0008_1b36);
    let mut data = [0; 4];
    mmio.read(layout::PCI_ECAM, &mut data);
    assert_eq!(u32::from_le_bytes(data), 0x0008_1b36);
    let mut byte = [0];
    ports.write(0xcf8, &0x8000_0000u32.to_le_bytes());
    ports.read(0xcfd, &mut byte);
    assert_eq!(byte, [0x1b]);
}

#[test]
fn empty_slots_and_disabled_addresses_float() {
    let (ports, mmio) = machine();
    for address in [0x0000_0000, 0x8000_0800, 0x8000_0100, 0x8001_0000] {
        assert_eq!(by_ports(&ports, address), u32::MAX, "{address:#x}");
    }
    let mut data = [0; 4];
    mmio.read(layout::PCI_ECAM + 0x8000, &mut data);
    assert_eq!(data, [0xff; 4]);
}

#[test]
fn accesses_across_borders_are_refused() {
    let (ports, mmio) = machine();
    ports.write(0xcf8, &0x8000_0000u32.to_le_bytes());
    let mut data = [0; 4];
    ports.read(0xcfe, &mut data);
    assert_eq!(data, [0xff; 4]);
    mmio.read(layout::PCI_ECAM + 0xffe, &mut data);
    assert_eq!(data, [0xff; 4]);
    ports.write(0xcfe, &[0; 64]);
    mmio.write(layout::PCI_MMIO, &[0; 8]);
    ports.read(layout::PCI_IO, &mut data);
    assert_eq!(data, [0xff; 4]);
}

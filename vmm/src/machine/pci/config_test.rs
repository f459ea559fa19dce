use super::*;

fn space() -> ConfigSpace {
    let identity = Identity {
        vendor: 0x1af4,
        device: 0x107f,
        subsystem: 63,
        class: 0x08_80_00,
        revision: 1,
    };
    let mut space = ConfigSpace::new(identity);
    space.add_bar(0, Space::Memory, 0x8000, 0xc000_0000);
    space.add_bar(1, Space::Io, 0x20, 0xc000);
    space
}

#[test]
fn identity_is_read_only() {
    let mut space = space();
    space.write(0, &[0; 4]);
    assert_eq!(space.read_u32(0), 0x107f_1af4);
    assert_eq!(space.read_u32(8), 0x0880_0001);
}

#[test]
fn sizing_a_bar_works_as_the_standard_says() {
    let mut space = space();
    space.write(0x10, &[0xff; 4]);
    assert_eq!(space.read_u32(0x10), 0xffff_8000);
    space.write(0x14, &[0xff; 4]);
    assert_eq!(space.read_u32(0x14), 0xffff_ffe1);
    space.write(0x18, &[0xff; 4]);
    assert_eq!(space.read_u32(0x18), 0);
}

#[test]
fn a_bar_answers_only_where_and_while_the_guest_says() {
    let mut space = space();
    assert_eq!(space.decode(Space::Memory, 0xc000_0000, 4), None);
    space.write(COMMAND, &[2, 0]);
    assert_eq!(
        space.decode(Space::Memory, 0xc000_7ffc, 4),
        Some((0, 0x7ffc))
    );
    assert_eq!(space.decode(Space::Memory, 0xc000_7ffd, 4), None);
    assert_eq!(space.decode(Space::Io, 0xc000, 2), None);
    space.write(0x10, &0xd000_0000u32.to_le_bytes());
    assert_eq!(space.decode(Space::Memory, 0xc000_0000, 4), None);
    assert_eq!(space.decode(Space::Memory, 0xd000_0000, 4), Some((0, 0)));
}

#[test]
fn capabilities_are_a_chain() {
    let mut space = space();
    let first = space.add_capability(9, &[1, 2, 3], &[]);
    let second = space.add_capability(0x11, &[0; 10], &[0, 0xff]);
    assert_eq!(space.read_u16(STATUS) & 0x10, 0x10);
    let mut byte = [0];
    space.read(CAPABILITIES, &mut byte);
    assert_eq!(usize::from(byte[0]), first);
    space.read(first + 1, &mut byte);
    assert_eq!(usize::from(byte[0]), second);
    space.write(second + 2, &[0xaa, 0xbb]);
    assert_eq!(space.read_u16(second + 2), 0xbb00);
}

#[test]
fn accesses_beyond_the_end_are_harmless() {
    let mut space = space();
    for offset in [254, 255, 256, 4095, 1 << 40] {
        space.write(offset, &[0xff; 8]);
        space.read(offset, &mut [0; 8]);
    }
}

#[test]
fn the_space_of_another_function_is_refused() {
    let mut source = space();
    source.write(COMMAND, &[7, 0]);
    source.write(0x14, &0xd000u32.to_le_bytes());
    let saved = source.save();
    let mut copy = space();
    copy.load(&saved).unwrap();
    assert_eq!(copy.save(), saved);
    assert_eq!(copy.bar_address(1), Some(0xd000));
    let mut other = saved.clone();
    other[VENDOR] ^= 1;
    assert!(copy.load(&other).is_err());
    assert!(copy.load(&saved[..SIZE - 1]).is_err());
}

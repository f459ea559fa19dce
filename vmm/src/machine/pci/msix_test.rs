use super::*;
use crate::machine::fake::FakeInterrupts;

fn msix(fake: &Arc<FakeInterrupts>) -> Msix {
    Msix::new(fake.clone(), 2).unwrap()
}

fn set(msix: &Msix, vector: u64, entry: [u32; 4]) {
    for (word, value) in (0u64..).zip(entry) {
        msix.write_table(vector * ENTRY_SIZE + word * 4, &value.to_le_bytes());
    }
}

#[test]
fn an_unmasked_vector_is_connected_with_its_message() {
    let fake = Arc::new(FakeInterrupts::default());
    let msix = msix(&fake);
    set(&msix, 1, [0xfee0_1000, 0, 0x41, 0]);
    assert_eq!(fake.connected(), []);
    msix.set_control(ENABLE);
    assert_eq!(
        fake.connected(),
        [(
            25,
            MsiMessage {
                address: 0xfee0_1000,
                data: 0x41
            }
        )]
    );
    msix.write_table(ENTRY_SIZE + 8, &0x42u32.to_le_bytes());
    assert_eq!(
        fake.connected(),
        [(
            25,
            MsiMessage {
                address: 0xfee0_1000,
                data: 0x42
            }
        )]
    );
    msix.set_control(ENABLE | MASK_ALL);
    assert_eq!(fake.connected(), []);
}

#[test]
fn a_masked_vector_keeps_its_signal_pending() {
    let fake = Arc::new(FakeInterrupts::default());
    let msix = msix(&fake);
    msix.set_control(ENABLE);
    let pending = |msix: &Msix| {
        let mut bits = [0; 8];
        msix.read_pending(0, &mut bits);
        u64::from_le_bytes(bits)
    };
    assert_eq!(pending(&msix), 0);
    msix.event(0).unwrap().write(1).unwrap();
    assert_eq!(pending(&msix), 1);
    set(&msix, 0, [0xfee0_0000, 0, 0x31, 0]);
    assert_eq!(pending(&msix), 0);
}

#[test]
fn the_table_reads_back_and_ignores_what_is_outside() {
    let fake = Arc::new(FakeInterrupts::default());
    let msix = msix(&fake);
    set(&msix, 0, [1 << 2, 2, 3, 1]);
    let mut data = [0; 8];
    msix.read_table(0, &mut data);
    assert_eq!(u64::from_le_bytes(data), 0x0000_0002_0000_0004);
    for offset in [1, 2, 30, 32, 4096, 1 << 40] {
        msix.write_table(offset, &[0xff; 8]);
        msix.read_table(offset, &mut data);
        msix.read_pending(offset, &mut data);
    }
    msix.write_table(0, &[0; 3]);
}

#[test]
fn a_pending_signal_moves_with_the_table() {
    let fake = Arc::new(FakeInterrupts::default());
    let (source, copy) = (msix(&fake), msix(&fake));
    source.set_control(ENABLE);
    set(&source, 1, [0xfee0_1000, 0, 0x41, MASKED]);
    source.event(1).unwrap().write(1).unwrap();
    copy.load(&source.save()).unwrap();
    copy.set_control(ENABLE);
    assert_eq!(fake.connected(), []);
    let mut bits = [0];
    copy.read_pending(0, &mut bits);
    assert_eq!(bits, [2]);
    copy.write_table(ENTRY_SIZE + 12, &0u32.to_le_bytes());
    let [(gsi, message)] = fake.connected()[..] else {
        panic!("one vector is connected")
    };
    assert_eq!((gsi, message.data), (27, 0x41));
    assert_eq!(copy.event(1).unwrap().read().unwrap(), 1);
}

#[test]
fn a_table_of_another_length_is_refused() {
    let fake = Arc::new(FakeInterrupts::default());
    let longer = Msix::new(fake.clone(), 3).unwrap();
    assert!(msix(&fake).load(&longer.save()).is_err());
}

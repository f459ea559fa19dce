use super::*;
use crate::testing::{INDIRECT, NEXT, WRITE};
use proptest::prelude::*;
use virtio_queue::desc::RawDescriptor;
use virtio_queue::mock::MockSplitQueue;
use virtio_queue::{Queue, QueueOwnedT};
use vm_memory::{Bytes, GuestAddress};

const SIZE: u16 = 128;
const MEMORY: u64 = 0x10_0000;
const DATA: u64 = 0x8000;

fn memory() -> GuestMem {
    let half = usize::try_from(MEMORY / 2).unwrap();
    // Two regions side by side, so that buffers may lie in both.
    let ranges = [(GuestAddress(0), half), (GuestAddress(MEMORY / 2), half)];
    GuestMem::from_ranges(&ranges).unwrap()
}

fn descriptor(address: u64, len: u32, flags: u16, next: u16) -> RawDescriptor {
    Descriptor::new(address, len, flags, next).into()
}

/// Takes the chain that begins with the first descriptor.
fn take(descriptors: &[RawDescriptor], writable: bool) -> Result<usize, BadChain> {
    let mem = memory();
    let ring = MockSplitQueue::new(&mem, SIZE);
    for (index, descriptor) in (0..).zip(descriptors) {
        ring.desc_table().store(index, *descriptor).unwrap();
    }
    ring.avail().ring().ref_at(0).unwrap().store(0u16);
    ring.avail().idx().store(1);
    let mut queue: Queue = ring.create_queue().unwrap();
    let chain = queue.iter(&mem).unwrap().next().unwrap();
    let mut pieces = Pieces::new();
    one_way(&mem, chain, writable, &mut pieces)?;
    Ok(pieces.len())
}

#[test]
fn good_chains() {
    assert_eq!(take(&[descriptor(DATA, 80, 0, 0)], false), Ok(80));
    assert_eq!(take(&[descriptor(DATA, 512, WRITE, 0)], true), Ok(512));
    let two = [
        descriptor(DATA, 80, NEXT, 1),
        descriptor(MEMORY / 2 - 10, 100, 0, 0),
    ];
    assert_eq!(take(&two, false), Ok(180));
    // Empty pieces do no harm.
    let empty = [descriptor(DATA, 0, NEXT, 1), descriptor(DATA, 8, 0, 0)];
    assert_eq!(take(&empty, false), Ok(8));
}

#[test]
fn bad_chains() {
    let cases = [
        // Outside the memory, over its end, wrapping around.
        (vec![descriptor(MEMORY, 80, 0, 0)], BadChain::Memory),
        (vec![descriptor(MEMORY - 10, 80, 0, 0)], BadChain::Memory),
        (vec![descriptor(u64::MAX - 10, 80, 0, 0)], BadChain::Memory),
        (vec![descriptor(DATA, u32::MAX, 0, 0)], BadChain::Memory),
        // For the device to write.
        (vec![descriptor(DATA, 80, WRITE, 0)], BadChain::Direction),
        (
            vec![
                descriptor(DATA, 80, NEXT, 1),
                descriptor(DATA, 80, WRITE, 0),
            ],
            BadChain::Direction,
        ),
        // Nowhere, and round in a circle.
        (vec![descriptor(DATA, 80, NEXT, SIZE)], BadChain::Open),
        (vec![descriptor(DATA, 80, NEXT, u16::MAX)], BadChain::Open),
        (vec![descriptor(DATA, 0, NEXT, 0)], BadChain::TooMany),
        (vec![descriptor(DATA, 1, NEXT, 0)], BadChain::TooMany),
        // Tables of descriptors: of the wrong size, empty, outside the memory.
        (vec![descriptor(DATA, 7, INDIRECT, 0)], BadChain::Open),
        (vec![descriptor(DATA, 0, INDIRECT, 0)], BadChain::Open),
        (vec![descriptor(MEMORY, 16, INDIRECT, 0)], BadChain::Open),
        (
            vec![descriptor(DATA, u32::MAX, INDIRECT, 0)],
            BadChain::Open,
        ),
    ];
    for (descriptors, error) in cases {
        assert_eq!(take(&descriptors, false), Err(error), "{descriptors:?}");
    }
    let lengths = [u32::MAX / 2 + 1; 2];
    let huge = [
        descriptor(0, lengths[0], NEXT, 1),
        descriptor(0, lengths[1], 0, 0),
    ];
    assert_eq!(take(&huge, false), Err(BadChain::Memory));
}

#[test]
fn tables_of_descriptors() {
    let mem = memory();
    let ring = MockSplitQueue::new(&mem, SIZE);
    let table = |entries: &[(u64, u32, u16, u16)]| {
        for (at, (address, len, flags, next)) in (0u64..).zip(entries) {
            let entry = GuestAddress(DATA + 16 * at);
            mem.write_obj(Descriptor::new(*address, *len, *flags, *next), entry)
                .unwrap();
        }
        let bytes = u32::try_from(16 * entries.len()).unwrap();
        let first = descriptor(DATA, bytes, INDIRECT, 0);
        ring.desc_table().store(0, first).unwrap();
        ring.avail().ring().ref_at(0).unwrap().store(0u16);
        ring.avail().idx().store(1);
        let mut queue: Queue = ring.create_queue().unwrap();
        let chain = queue.iter(&mem).unwrap().next().unwrap();
        let mut pieces = Pieces::new();
        one_way(&mem, chain, false, &mut pieces).map(|()| pieces.len())
    };
    assert_eq!(table(&[(0x9000, 80, NEXT, 1), (0x9100, 20, 0, 0)]), Ok(100));
    // A table within a table.
    let nested = [(0x9000, 80, NEXT, 1), (DATA, 16, INDIRECT, 0)];
    assert_eq!(table(&nested), Err(BadChain::Open));
    assert_eq!(table(&[(0x9000, 80, NEXT, 9)]), Err(BadChain::Open));
    assert_eq!(table(&[(0x9000, 80, NEXT, 0)]), Err(BadChain::Open));
}

/// Pieces of these lengths one after the other, with gaps between.
fn pieces<'m>(mem: &'m GuestMem, mut at: u64, lengths: &[u32]) -> Pieces<'m> {
    let mut pieces = Pieces::new();
    for &len in lengths {
        pieces.add(mem, &Descriptor::new(at, len, 0, 0)).unwrap();
        at += u64::from(len) + 3;
    }
    pieces
}

#[test]
fn too_much_for_the_pieces() {
    let mem = memory();
    let (from, to) = (pieces(&mem, 0, &[100]), pieces(&mem, 1000, &[100]));
    assert_eq!(from.read(&mut [0; 101]), Err(BadChain::Short));
    let behind = |count| Payload::Chain {
        from: &from,
        skip: 80,
        count,
    };
    assert_eq!(to.write(&[1; 80], &behind(20)), Ok(()));
    assert_eq!(to.write(&[1; 80], &behind(21)), Err(BadChain::Short));
    assert_eq!(to.write(&[1; 90], &behind(20)), Err(BadChain::Short));
    let bytes = Payload::Bytes(&[2; 20]);
    assert_eq!(to.write(&[1; 80], &bytes), Ok(()));
    assert_eq!(to.write(&[1; 81], &bytes), Err(BadChain::Short));
    let mut last = [0; 21];
    assert_eq!(to.read_behind(80, &mut last), Err(BadChain::Short));
    assert_eq!(to.read_behind(79, &mut last), Ok(()));
    assert_eq!((last[0], last[20]), (1, 2));
}

proptest! {
    #[test]
    fn bytes_keep_their_order(
        source in prop::collection::vec(0..50u32, 1..20),
        target in prop::collection::vec(0..50u32, 1..20),
        head in prop::collection::vec(any::<u8>(), 0..40),
        skip in 0..60usize,
        count in 0..200usize,
    ) {
        let mem = memory();
        let bytes: Vec<u8> = (0..2000u32).map(|it| u8::try_from(it % 251).unwrap()).collect();
        mem.write_slice(&bytes, GuestAddress(0)).unwrap();
        let (from, to) = (pieces(&mem, 0, &source), pieces(&mem, 0x4000, &target));
        let mut whole = vec![0; from.len()];
        from.read(&mut whole).unwrap();
        let from_chain = Payload::Chain {
            from: &from,
            skip,
            count,
        };
        let written = to.write(&head, &from_chain);
        let fits = head.len() + count <= to.len() && (count == 0 || skip + count <= from.len());
        prop_assert_eq!(written.is_ok(), fits);
        if fits {
            let mut expected = head.clone();
            expected.extend(whole.iter().skip(skip).take(count));
            let mut got = vec![0; expected.len()];
            to.read(&mut got).unwrap();
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn any_descriptors_at_all(
        raw in prop::collection::vec((any::<u64>(), any::<u32>(), 0..8u16, 0..140u16), 1..20),
        near in any::<bool>(),
    ) {
        let descriptors: Vec<_> = raw
            .into_iter()
            .map(|(address, len, flags, next)| {
                let (address, len) = if near { (address % MEMORY, len % 5000) } else { (address, len) };
                descriptor(address, len, flags, next)
            })
            .collect();
        // No panic, no endless walk.
        let _ = take(&descriptors, false);
        let _ = take(&descriptors, true);
    }
}

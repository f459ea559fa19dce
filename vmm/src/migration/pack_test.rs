use dvs_migration::layout::Slot;

use super::*;
use crate::machine::memory::create;

const SIZE: u64 = 4 << 20;

fn layout() -> Layout {
    let slot = Slot {
        start: 0,
        size: SIZE,
    };
    Layout::new(vec![slot]).unwrap()
}

fn run(frame: u64, pages: u32) -> Run {
    Run {
        frame,
        pages,
        content: Content::Data,
    }
}

/// Sends pages from one memory to another.
fn carry(from: &GuestMemory, to: &GuestMemory, touched: &Touched, compression: Compression) {
    let runs = vec![run(0, 3), run(100, 200)];
    let (mut there, mut here) = (Buffer::new(), Buffer::new());
    let (batch, bytes) = there.fill(from, runs, compression).unwrap();
    batch.check(&layout(), compression).unwrap();
    here.room(&batch).copy_from_slice(bytes);
    here.apply(&batch, to, touched).unwrap();
}

#[test]
fn pages_arrive_as_they_were() {
    for compression in [Compression::None, Compression::Lz4] {
        let (from, to) = (create(SIZE).unwrap(), create(SIZE).unwrap());
        let touched = Touched::none(&layout());
        for frame in [1u64, 100, 101, 150, 299] {
            let text = [u8::try_from(frame % 251).unwrap(); 5000];
            from.write_slice(&text[..4096], GuestAddress(frame * 4096))
                .unwrap();
        }
        carry(&from, &to, &touched, compression);
        // A page that has become zero since is zero there too.
        from.write_slice(&[0; 4096], GuestAddress(150 * 4096))
            .unwrap();
        carry(&from, &to, &touched, compression);
        let (mut theirs, mut ours) = (vec![0; 300 * 4096], vec![0; 300 * 4096]);
        from.read_slice(&mut theirs, GuestAddress(0)).unwrap();
        to.read_slice(&mut ours, GuestAddress(0)).unwrap();
        assert!(theirs == ours, "{compression:?}");
    }
}

#[test]
fn damaged_contents_are_refused() {
    let memory = create(SIZE).unwrap();
    memory.write_slice(&[7; 8192], GuestAddress(0)).unwrap();
    let mut buffer = Buffer::new();
    let filled = buffer.fill(&memory, vec![run(0, 2)], Compression::Lz4);
    let (batch, bytes) = filled.unwrap();
    assert_eq!(batch.compression, Compression::Lz4);
    let mut bytes = bytes.to_vec();
    let touched = Touched::none(&layout());
    bytes[0] = 0xff;
    buffer.room(&batch).copy_from_slice(&bytes);
    assert!(buffer.apply(&batch, &memory, &touched).is_err());
}

#[test]
fn pages_that_are_no_memory_are_an_error() {
    let memory = create(SIZE).unwrap();
    let mut buffer = Buffer::new();
    let frame = SIZE / 4096 - 1;
    let filled = buffer.fill(&memory, vec![run(frame, 2)], Compression::None);
    assert!(matches!(filled, Err(PackError::Memory(it)) if it == frame + 1));
}

use std::sync::Mutex;

use super::*;

/// Holds a number.
#[derive(Default)]
struct Number(Mutex<u32>);

impl Persist for Number {
    fn save(&self) -> Result<Vec<u8>, StateError> {
        encode(&*self.0.lock().unwrap())
    }

    fn load(&self, bytes: &[u8]) -> Result<(), StateError> {
        *self.0.lock().unwrap() = decode(bytes)?;
        Ok(())
    }
}

#[test]
fn a_part_takes_its_own_state_and_no_other() {
    let number = Arc::new(Number(Mutex::new(7)));
    let part = Named::new(Part::Device, "number", number.clone());
    let piece = part.save().unwrap();
    *number.0.lock().unwrap() = 0;
    assert!(part.is_meant(&piece));
    part.load(&piece).unwrap();
    assert_eq!(*number.0.lock().unwrap(), 7);
    let mut other = piece.clone();
    other.part = Part::Machine;
    assert!(!part.is_meant(&other));
    let mut newer = piece.clone();
    newer.version = 2;
    assert!(part.load(&newer).is_err());
    for bytes in [&[][..], &[7, 0], &[0xff; 5]] {
        let mut broken = piece.clone();
        broken.bytes = bytes.to_vec();
        assert!(part.load(&broken).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_length_that_is_a_lie_costs_nothing() {
    assert!(decode::<Vec<u64>>(&[0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
}

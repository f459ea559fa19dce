use super::*;

fn header(sequence: u64) -> Header {
    Header {
        kind: Kind::Request,
        sequence,
        sends: 3,
        notifies: 9,
    }
}

#[test]
fn what_was_encoded_is_checked_and_read() {
    for size in [HEADER, HEADER + 1, 48, 432] {
        let bytes = header(77).message(size);
        assert_eq!(bytes.len(), size);
        assert_eq!(Header::check(&bytes), Some(header(77)));
    }
}

#[test]
fn every_changed_byte_is_seen() {
    let bytes = header(5).message(64);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert_eq!(Header::check(&changed), None, "byte {at}");
    }
}

#[test]
fn the_pattern_of_another_number_is_seen() {
    let mut bytes = header(5).message(64);
    bytes[HEADER..].copy_from_slice(&header(6).message(64)[HEADER..]);
    assert_eq!(Header::check(&bytes), None);
}

#[test]
fn too_short_is_refused() {
    assert_eq!(Header::check(&[]), None);
    assert_eq!(
        Header::check(&header(1).message(HEADER)[..HEADER - 1]),
        None
    );
}

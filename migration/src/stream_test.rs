use super::*;
use proptest::prelude::*;

const KNOWN: &[Known] = &[
    Known {
        kind: 1,
        versions: (1, 2),
        limit: 1 << 20,
    },
    Known {
        kind: 7,
        versions: (1, 1),
        limit: 16,
    },
];

fn written(sections: &[(u16, u16, &[u8])]) -> Vec<u8> {
    let mut w = StreamWriter::begin(Vec::new()).unwrap();
    for (kind, version, bytes) in sections {
        w.section(*kind, *version, bytes).unwrap();
    }
    w.end().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Section>, StreamError> {
    let mut r = StreamReader::begin(bytes, KNOWN)?;
    let mut all = Vec::new();
    while let Some(s) = r.section()? {
        all.push(s);
    }
    Ok(all)
}

#[test]
fn sections_come_back_in_order() {
    let big = vec![9; 200_000];
    let got = read(&written(&[(1, 2, &big), (7, 1, b""), (1, 1, b"x")])).unwrap();
    assert_eq!(got.len(), 3);
    assert_eq!((got[0].version, got[0].bytes.len()), (2, 200_000));
    assert_eq!(got[2].bytes, b"x");
}

#[test]
fn what_is_not_expected_is_refused() {
    let cases: [(&[u8], &str); 3] = [
        (b"GET / HT", "no migration stream"),
        (b"DVSM\x09\0\0\0", "format 9"),
        (b"DVSM", "broke off"),
    ];
    for (bytes, message) in cases {
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    for (section, message) in [((2, 1), "unknown kind 2"), ((1, 3), "version 3")] {
        let error = read(&written(&[(section.0, section.1, b"")])).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    let error = read(&written(&[(7, 1, &[0; 17])])).unwrap_err();
    assert!(matches!(error, StreamError::TooLong { limit: 16, .. }));
}

#[test]
fn damage_is_seen() {
    let mut bytes = written(&[(1, 1, b"state")]);
    bytes[18] ^= 1;
    assert!(matches!(
        read(&bytes),
        Err(StreamError::Damaged { kind: 1 })
    ));
}

proptest! {
    #[test]
    fn no_input_is_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let mut behind_a_good_start = b"DVSM\x01\0\0\0".to_vec();
        behind_a_good_start.extend(bytes);
        let _ = read(&behind_a_good_start);
    }

    #[test]
    fn a_shortened_stream_is_an_error(cut in 0..40usize) {
        let bytes = written(&[(1, 1, b"abcdefgh"), (7, 1, b"1234")]);
        prop_assume!(cut < bytes.len());
        prop_assert!(read(&bytes[..cut]).is_err());
    }
}

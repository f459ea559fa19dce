use super::*;
use crate::directory::NodeId;
use proptest::prelude::*;

fn hello() -> Hello {
    let mut cluster = [0; CLUSTER_MAX];
    cluster[..4].copy_from_slice(b"blue");
    Hello {
        version: VERSION,
        lowest: VERSION_LOWEST,
        node: NodeId(3),
        session: 0x0123_4567_89ab_cdef,
        class: Class::Bulk,
        lz4: true,
        keepalive_ms: 3000,
        cluster,
    }
}

fn greeting(bytes: &[u8]) -> Handshake<'_> {
    let Piece { kind, body, length } = split_handshake(bytes).unwrap().unwrap();
    assert_eq!(length, bytes.len());
    handshake(kind, body).unwrap()
}

#[test]
fn handshakes_come_back_as_they_were() {
    let hello = hello();
    assert_eq!(greeting(&hello.encode()), Handshake::Hello(hello));
    let welcome = Welcome {
        version: 1,
        node: NodeId(9),
        lz4: false,
        keepalive_ms: 500,
    };
    assert_eq!(greeting(&welcome.encode()), Handshake::Welcome(welcome));
    for refusal in [Refusal::Wrong, Refusal::Crossed] {
        let record = encode_refused(refusal, "no");
        assert_eq!(greeting(&record), Handshake::Refused(refusal, b"no"));
    }
}

#[test]
fn the_layout_of_a_hello_stays_what_it_is() {
    let record = hello().encode();
    assert_eq!(record[..5], [65, 0, 0, 0, 1]);
    assert_eq!(record[5..13], *b"DVS-LINK");
    assert_eq!(record[13..17], [2, 0, 1, 0]);
    assert_eq!(record[17..21], [3, 0, 0, 0]);
    assert_eq!(record[33..37], [1, 1, 0, 0]);
    assert_eq!(record[37..42], *b"blue\0");
    assert_eq!(record.len(), 69);
}

#[test]
fn what_later_versions_add_to_a_handshake_is_skipped() {
    let mut record = hello().encode();
    record.extend_from_slice(b"more");
    record[0] += 4;
    assert_eq!(greeting(&record), Handshake::Hello(hello()));
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let reason = "ä".repeat(200);
    let record = encode_refused(Refusal::Wrong, &reason);
    match greeting(&record) {
        Handshake::Refused(_, text) => assert_eq!(std::str::from_utf8(text).unwrap().len(), 256),
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_protocols_are_known_by_their_first_bytes() {
    assert_eq!(split_handshake(&[0x16, 3, 1]), Err(Malformed::Tls));
    assert_eq!(split_handshake(&[0x15, 3, 3]), Err(Malformed::Tls));
    assert_eq!(split_handshake(b"GET / HTTP/1.1"), Err(Malformed::Magic));
    assert_eq!(split_handshake(&[0x16]), Ok(None));
    let mut record = hello().encode();
    record[5] = b'X';
    let Piece { kind, body, .. } = split_handshake(&record).unwrap().unwrap();
    assert_eq!(handshake(kind, body), Err(Malformed::Magic));
}

#[test]
fn lengths_are_refused_before_anything_has_come() {
    for length in [0, 97, u32::MAX] {
        let bytes = length.to_le_bytes();
        assert_eq!(split(&bytes, 100), Err(Malformed::Length(length)));
    }
    assert_eq!(split(&96_u32.to_le_bytes(), 100), Ok(None));
}

#[test]
fn what_must_not_come_on_a_connection_does_not() {
    let notice = encode_notice(&Notice::Retry { vm: 1 });
    let Piece { kind, body, .. } = split(&notice, 100).unwrap().unwrap();
    assert_eq!(record(Class::Bulk, kind, body), Err(Malformed::Kind(kind)));
    let packed = frame_prefix(stamp(), &header(5), 5, true);
    let body = [&packed[RECORD_HEADER..], &[0; 5]].concat();
    let kind = packed[4];
    assert_eq!(
        record(Class::Message, kind, &body),
        Err(Malformed::Kind(kind))
    );
    let hello = hello().encode();
    let refused = record(Class::Message, hello[4], &hello[5..]);
    assert_eq!(refused, Err(Malformed::Kind(1)));
}

#[test]
fn a_frame_has_the_length_that_its_header_tells() {
    let prefix = frame_prefix(stamp(), &header(6), 5, false);
    let body = [&prefix[RECORD_HEADER..], &[0; 5]].concat();
    let result = record(Class::Message, prefix[4], &body);
    assert_eq!(result, Err(Malformed::FrameLength));
    let prefix = frame_prefix(stamp(), &header(65_537), 5, true);
    let body = [&prefix[RECORD_HEADER..], &[0; 5]].concat();
    let result = record(Class::Bulk, prefix[4], &body);
    assert_eq!(result, Err(Malformed::FrameLength));
}

fn stamp() -> Stamp {
    Stamp {
        src_epoch: 0x0102_0304,
        dst_epoch: 5,
    }
}

fn header(len: u32) -> Frame {
    Frame {
        kind: 64,
        len: len.into(),
        ..Frame::default()
    }
}

/// Anything that can be sent after the handshake.
fn sent() -> impl Strategy<Value = Vec<u8>> {
    let frame = (
        any::<(u32, u32)>(),
        prop::collection::vec(any::<u8>(), 0..433),
    );
    prop_oneof![
        frame.prop_map(|((src_epoch, dst_epoch), payload)| {
            let stamp = Stamp {
                src_epoch,
                dst_epoch,
            };
            let header = header(u32::try_from(payload.len()).unwrap());
            [
                &frame_prefix(stamp, &header, payload.len(), false)[..],
                &payload,
            ]
            .concat()
        }),
        any::<u32>().prop_map(|vm| encode_notice(&Notice::Retry { vm }).to_vec()),
        any::<(u32, u32)>().prop_map(|(vm, incarnation)| {
            encode_notice(&Notice::Gone { vm, incarnation }).to_vec()
        }),
        any::<(u32, u32)>()
            .prop_map(|(vm, epoch)| encode_notice(&Notice::Moved { vm, epoch }).to_vec()),
        any::<u64>().prop_map(|number| encode_ping(number).to_vec()),
        any::<u64>().prop_map(|number| encode_pong(number).to_vec()),
    ]
}

fn said(record: &Record<'_>) -> Vec<u8> {
    match record {
        Record::Frame(stamp, header, payload) => [
            &frame_prefix(*stamp, header, payload.len(), false)[..],
            payload,
        ]
        .concat(),
        Record::FrameLz4(stamp, header, packed) => [
            &frame_prefix(*stamp, header, packed.len(), true)[..],
            packed,
        ]
        .concat(),
        Record::Notice(notice) => encode_notice(notice).to_vec(),
        Record::Ping(number) => encode_ping(*number).to_vec(),
        Record::Pong(number) => encode_pong(*number).to_vec(),
    }
}

/// All records of `bytes`, encoded again, until there is no whole one or something is wrong.
fn walk(class: Class, mut bytes: &[u8]) -> (Vec<Vec<u8>>, Result<usize, Malformed>) {
    let mut records = Vec::new();
    loop {
        match split(bytes, record_max(class)) {
            Ok(Some(Piece { kind, body, length })) => {
                assert!(length <= bytes.len() && length <= record_max(class));
                match record(class, kind, body) {
                    Ok(record) => records.push(said(&record)),
                    Err(malformed) => return (records, Err(malformed)),
                }
                bytes = &bytes[length..];
            }
            Ok(None) => return (records, Ok(bytes.len())),
            Err(malformed) => return (records, Err(malformed)),
        }
    }
}

proptest! {
    #[test]
    fn records_come_back_wherever_the_stream_is_cut(
        sent in prop::collection::vec(sent(), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream = sent.concat();
        let (all, left) = walk(Class::Message, &stream);
        prop_assert_eq!(&all, &sent);
        prop_assert_eq!(left, Ok(0));
        let cut = cut.index(stream.len() + 1);
        let (some, left) = walk(Class::Message, &stream[..cut]);
        prop_assert_eq!(&some[..], &sent[..some.len()]);
        prop_assert_eq!(some.concat().len() + left.unwrap(), cut);
    }

    #[test]
    fn no_bytes_do_harm(
        sent in prop::collection::vec(sent(), 1..4),
        at in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 1..40),
        bulk in any::<bool>(),
    ) {
        let class = if bulk { Class::Bulk } else { Class::Message };
        let mut stream = sent.concat();
        let at = at.index(stream.len());
        for (place, byte) in stream[at..].iter_mut().zip(&noise) {
            *place = *byte;
        }
        let _ = walk(class, &stream);
        let _ = walk(class, &noise);
        if let Ok(Some(Piece { kind, body, .. })) = split_handshake(&noise) {
            let _ = handshake(kind, body);
        }
        let _ = handshake(noise[0] % 4, &noise[1..]);
    }
}

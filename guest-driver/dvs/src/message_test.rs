use super::*;

fn received(io: &abi::Io) -> Message {
    let mut message = Message::empty();
    message.room().fill(1);
    message.came(io);
    message
}

#[test]
fn a_length_beyond_the_buffer_is_cut() {
    let io = abi::Io {
        recv_len: u32::MAX,
        from: 7,
        ..abi::Io::default()
    };
    let message = received(&io);
    assert_eq!(message.bytes().len(), abi::MESSAGE_MAX);
    assert_eq!(message.from(), 7.into());
}

#[test]
fn a_shorter_message_has_only_its_own_bytes() {
    let io = abi::Io {
        recv_len: 3,
        ..abi::Io::default()
    };
    assert_eq!(received(&io).as_ref(), [1; 3]);
}

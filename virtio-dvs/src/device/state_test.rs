use super::*;
use proptest::prelude::*;
use std::os::fd::OwnedFd;

fn state() -> DeviceState {
    DeviceState::new(7, 3, 1 << 32, [1, 2, 3, 4, 65535])
}

fn pipe() -> (File, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    (OwnedFd::from(reader).into(), OwnedFd::from(writer).into())
}

/// What becomes of these bytes when a VMM sends them.
fn received(bytes: &[u8]) -> Result<Option<DeviceState>, StateError> {
    let (reader, mut writer) = pipe();
    let transfer = Transfer::receive(reader)?;
    writer.write_all(bytes).unwrap();
    drop(writer);
    transfer.end()
}

#[test]
fn what_one_node_says_another_understands() {
    let (mut reader, writer) = pipe();
    let sent = Transfer::send(writer, &state()).unwrap();
    let mut bytes = Vec::new();
    // It ends here, since the node has closed its end.
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 34);
    assert!(matches!(sent.end(), Ok(None)));
    assert_eq!(received(&bytes).unwrap(), Some(state()));
}

#[test]
fn what_is_no_state_is_refused() {
    let good = state().as_bytes().to_vec();
    for bytes in [
        &good[..33],
        &good[..7],
        &[],
        b"DVSM\x01\0\0\0 and so on",
        &[0; 34],
    ] {
        assert!(matches!(received(bytes), Err(StateError::Foreign)));
    }
    for more in [1, 2, 60_000] {
        let long = [&good[..], &vec![0; more]].concat();
        assert!(matches!(received(&long), Err(StateError::Foreign)));
    }
    let mut later = good;
    later[4] = 2;
    assert!(matches!(received(&later), Err(StateError::Version(2))));
    later.extend([0; 40]);
    assert!(matches!(received(&later), Err(StateError::Version(2))));
}

#[test]
fn nobody_waits_for_a_vmm() {
    // Nobody reads, and there is no room.
    let (reader, mut writer) = pipe();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[0; 4096]).is_ok() {}
    let sent = Transfer::send(writer, &state());
    assert!(matches!(sent, Err(StateError::Pipe(_))));
    drop(reader);
    // Nobody is there to read.
    let (reader, writer) = pipe();
    drop(reader);
    assert!(matches!(
        Transfer::send(writer, &state()),
        Err(StateError::Pipe(_))
    ));
    // Nobody closes the other end.
    let (reader, mut writer) = pipe();
    let transfer = Transfer::receive(reader).unwrap();
    writer.write_all(state().as_bytes()).unwrap();
    assert!(matches!(transfer.end(), Err(StateError::Incomplete)));
    // The wrong end.
    let (_reader, writer) = pipe();
    let transfer = Transfer::receive(writer).unwrap();
    assert!(matches!(transfer.end(), Err(StateError::Pipe(_))));
    let no_pipe = Transfer::receive(tempfile::tempfile().unwrap());
    assert!(matches!(no_pipe, Err(StateError::NoPipe)));
    assert!(matches!(Transfer::Idle.end(), Err(StateError::NoTransfer)));
}

proptest! {
    #[test]
    fn garbage_is_refused_or_a_state(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(state) = DeviceState::parse(&bytes) {
            prop_assert_eq!(state.as_bytes(), bytes);
        }
    }

    #[test]
    fn a_broken_state_is_refused_or_another(at in 0usize..34, byte: u8) {
        let mut bytes = state().as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(state) = DeviceState::parse(&bytes) {
            prop_assert!(at >= 8 || state == self::state());
        }
    }
}

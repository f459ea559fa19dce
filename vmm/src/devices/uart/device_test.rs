use super::*;

fn uart() -> Uart {
    Uart::new(Output::start("test").unwrap()).unwrap()
}

fn read(uart: &Uart, register: u64) -> u8 {
    let mut byte = [0];
    uart.read(register, &mut byte);
    byte[0]
}

#[test]
fn registers_and_unread_input_move() {
    let (source, copy) = (uart(), uart());
    source.write(1, &[1]);
    source.write(7, &[0x5a]);
    source.input(b"ab");
    copy.load(&source.save().unwrap()).unwrap();
    assert_eq!((read(&copy, 1), read(&copy, 7)), (1, 0x5a));
    assert_eq!(copy.room(), source.room());
    // The interrupt of the input may not have reached the guest yet.
    assert!(copy.interrupt().read().is_ok());
    assert_eq!((read(&copy, 0), read(&copy, 0)), (b'a', b'b'));
}

#[test]
fn more_input_than_a_port_holds_is_refused() {
    let mut state: State = decode(&uart().save().unwrap()).unwrap();
    state.received = vec![0; 65];
    assert!(uart().load(&encode(&state).unwrap()).is_err());
    state.received = vec![0; 64];
    uart().load(&encode(&state).unwrap()).unwrap();
}

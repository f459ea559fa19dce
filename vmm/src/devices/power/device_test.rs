use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[derive(Default)]
struct Seen(Mutex<Vec<GuestEvent>>);

impl GuestEvents for Seen {
    fn report(&self, event: GuestEvent) {
        self.0.lock().unwrap().push(event);
    }
}

fn control() -> (PowerControl, Arc<AtomicBool>, Arc<Seen>) {
    let (line, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
    let sci = Box::new({
        let line = line.clone();
        move |on| line.store(on, Ordering::SeqCst)
    });
    (PowerControl::new(sci, seen.clone()), line, seen)
}

#[test]
fn the_button_raises_the_line_until_it_is_acknowledged() {
    let (power, line, _) = control();
    assert!(!power.press_button());
    assert!(!line.load(Ordering::SeqCst));
    power.write(2, &POWER_BUTTON.to_le_bytes());
    assert!(line.load(Ordering::SeqCst));
    let mut status = [0; 2];
    power.read(0, &mut status);
    assert_eq!(u16::from_le_bytes(status), POWER_BUTTON);
    power.write(0, &POWER_BUTTON.to_le_bytes());
    assert!(!line.load(Ordering::SeqCst));
    assert!(power.press_button());
}

#[test]
fn only_sleep_state_five_powers_off() {
    let (power, _, seen) = control();
    power.write(PM1_CONTROL, &(5u16 << 10).to_le_bytes());
    power.write(PM1_CONTROL, &(SLEEP_ENABLE | (3 << 10)).to_le_bytes());
    assert!(seen.0.lock().unwrap().is_empty());
    power.write(PM1_CONTROL, &(SLEEP_ENABLE | (5 << 10)).to_le_bytes());
    assert_eq!(*seen.0.lock().unwrap(), [GuestEvent::PowerOff]);
}

#[test]
fn both_reset_registers_reset() {
    let (power, _, seen) = control();
    power.write(RESET, &[RESET_VALUE]);
    let keyboard = I8042::new(seen.clone());
    keyboard.write(4, &[0xfe]);
    keyboard.write(0, &[0xfe]);
    assert_eq!(
        *seen.0.lock().unwrap(),
        [GuestEvent::Reset, GuestEvent::Reset]
    );
}

#[test]
fn odd_accesses_do_nothing() {
    let (power, line, seen) = control();
    for offset in 0..16 {
        for len in [1, 3, 8, 64] {
            power.write(offset, &vec![0x5a; len]);
            power.read(offset, &mut vec![0; len]);
        }
    }
    assert!(!line.load(Ordering::SeqCst));
    assert!(seen.0.lock().unwrap().is_empty());
}

#[test]
fn a_pressed_button_moves_with_its_line() {
    let (source, ..) = control();
    source.write(2, &POWER_BUTTON.to_le_bytes());
    source.press_button();
    let (copy, line, _) = control();
    copy.load(&source.save().unwrap()).unwrap();
    assert!(line.load(Ordering::SeqCst));
    let unknown = Registers {
        status: 0xffff,
        enable: 0xffff,
    };
    copy.load(&encode(&unknown).unwrap()).unwrap();
    let mut registers = [0; 4];
    copy.read(0, &mut registers);
    assert_eq!(registers, [0, 1, 0x20, 1]);
}

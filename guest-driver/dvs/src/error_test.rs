use super::*;
use std::collections::HashSet;

const UAPI: &str = include_str!("../../linux/include/uapi/linux/dvs.h");

/// All `DVS_E*`.
fn numbers() -> Vec<(&'static str, i32)> {
    let lines = UAPI.lines().filter(|l| l.starts_with("#define DVS_E"));
    lines
        .map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let name = words.next().unwrap();
            let number = words.next().unwrap().trim_matches(['(', ')']);
            (name, number.parse().unwrap())
        })
        .collect()
}

#[test]
fn every_number_of_the_header_has_its_own_error_and_text() {
    let mut texts = HashSet::new();
    let numbers = numbers();
    assert!(numbers.len() > 30, "only {} numbers found", numbers.len());
    for (name, number) in numbers {
        let error = Error::check(number).unwrap_err();
        assert!(!matches!(error, Error::Other(_)), "{name}");
        assert_eq!(error.number(), Some(number), "{name}");
        assert!(texts.insert(error.to_string()), "{name}: {error}");
    }
}

#[test]
fn zero_is_success() {
    assert!(Error::check(0).is_ok());
    assert!(matches!(Error::check(-999), Err(Error::Other(-999))));
    assert_eq!(Error::Other(-999).number(), Some(-999));
}

#[test]
fn as_an_error_of_input_and_output() {
    let kind = |error| io::Error::from(error).kind();
    assert_eq!(kind(Error::Again), io::ErrorKind::WouldBlock);
    assert_eq!(kind(Error::TrapDenied), io::ErrorKind::PermissionDenied);
    let gone = io::Error::from_raw_os_error(libc::ENODEV);
    assert_eq!(
        io::Error::from(Error::Io(gone)).raw_os_error(),
        Some(libc::ENODEV)
    );
    assert!(Error::NotWaiting.is_client_gone());
    assert!(!Error::WokenUp.is_client_gone());
}

use super::*;

#[test]
fn open_without_a_device_says_so() {
    if !std::path::Path::new("/dev/dvs").exists() {
        assert_eq!(open(0).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn ioctl_numbers_are_those_of_linux() {
    // As gcc computes them from the header.
    assert_eq!(ioc(READ, 0, 64), 0x8040_e400);
    assert_eq!(ioc(READ | WRITE, 4, 88), 0xc058_e404);
}

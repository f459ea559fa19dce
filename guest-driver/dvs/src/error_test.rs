use super::*;

const UAPI: &str = include_str!("../../linux/include/uapi/linux/dvs.h");

/// Numbers that no call of this crate returns.
const NOT_MAPPED: [&str; 3] = ["DVS_E2BIG", "DVS_ELOCKED", "DVS_EPROCRUN"];

#[test]
fn every_number_of_the_header_has_its_own_error() {
    let mut count = 0;
    for line in UAPI
        .lines()
        .filter(|line| line.starts_with("#define DVS_E"))
    {
        let mut words = line.split_whitespace().skip(1);
        let name = words.next().unwrap();
        let number: i32 = words
            .next()
            .unwrap()
            .trim_matches(['(', ')'])
            .parse()
            .unwrap();
        let error = Error::check(number).unwrap_err();
        assert_eq!(
            matches!(error, Error::Other(_)),
            NOT_MAPPED.contains(&name),
            "{name}"
        );
        count += 1;
    }
    assert!(count > 20, "only {count} numbers found");
}

#[test]
fn zero_is_success() {
    assert!(Error::check(0).is_ok());
    assert!(matches!(Error::check(-999), Err(Error::Other(-999))));
}

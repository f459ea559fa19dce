use super::*;

#[test]
fn sizes_within_the_limits_only() {
    assert_eq!(size("24"), Ok(24));
    assert_eq!(size("432"), Ok(432));
    for bad in ["23", "433", "", "-1", "x", "99999999999999999999"] {
        assert!(size(bad).is_err(), "{bad}");
    }
}

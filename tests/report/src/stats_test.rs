use super::*;

#[test]
fn medians() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[3.0]), Some(3.0));
    assert_eq!(median(&[3.0, 1.0]), Some(2.0));
    assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
}

#[test]
fn spreads() {
    assert_eq!(spread(&[]), None);
    assert_eq!(spread(&[2.0, -1.0, 7.0]), Some([-1.0, 7.0]));
}

use super::*;

#[test]
fn requests() {
    assert_eq!(
        Request::parse("r 7 echo a  b"),
        Ok(Request::Run {
            id: 7,
            command: "echo a  b"
        })
    );
    assert_eq!(
        Request::parse("k 7 9"),
        Ok(Request::Kill { id: 7, signal: 9 })
    );
}

#[test]
fn nonsense() {
    for line in [
        "", "r", "r 1", "x 1 2", "r one ls", "k 1 kill", "r -1 ls", "\u{fffd}",
    ] {
        assert!(Request::parse(line).is_err(), "{line}");
    }
}

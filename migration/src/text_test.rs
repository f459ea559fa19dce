use super::*;

#[test]
fn a_peer_can_neither_flood_nor_paint_a_terminal() {
    assert_eq!(
        Text::from("disk\u{1b}[2J full\n").as_str(),
        "disk [2J full "
    );
    let long = Text::from("ä".repeat(TEXT_MAX));
    assert_eq!(long.as_str().len(), TEXT_MAX);
    let odd = Text::from(format!("x{}", "ä".repeat(TEXT_MAX)));
    assert_eq!(odd.as_str().len(), TEXT_MAX - 1);
}

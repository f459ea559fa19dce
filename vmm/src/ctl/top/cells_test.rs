use super::*;

#[test]
fn figures_are_short() {
    let shown = [0.0, 0.5, 7.0, 1234.4, 56_100.0, 7_200_000.0, 3e9].map(figure);
    assert_eq!(
        shown,
        ["0", "0.5", "7.0", "1234", "56.1k", "7.20M", "3.00G"]
    );
}

#[test]
fn times_have_units() {
    let shown = [0, 9, 42, 185, 7800, 273_600].map(|it| time(Duration::from_secs(it)));
    assert_eq!(shown, ["0.0s", "9.0s", "42s", "3m 5s", "2h 10m", "3d 4h"]);
}

use super::*;

#[test]
fn curves_and_moves_are_drawn() {
    let curves = [
        Curve {
            name: "client-1".into(),
            points: vec![(0.0, 3.0), (0.1, 0.0), (0.2, 250.0), (0.3, 1e9)],
        },
        Curve {
            name: "client-2".into(),
            points: Vec::new(),
        },
    ];
    let marks = [Mark {
        name: "1 to 2".into(),
        begin: 0.1,
        end: 0.25,
    }];
    let svg = draw(&curves, &marks).expect("drawn");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for text in ["client-1", "client-2", "1 to 2", "milliseconds"] {
        assert!(svg.contains(text), "{text}: {svg}");
    }
}

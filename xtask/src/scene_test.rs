use super::*;

#[test]
fn a_scene_says_where_everybody_is() {
    let mut scene = Scene {
        hosts: vec![
            ("host 1".into(), vec!["the server".into(), "one".into()]),
            ("host 2".into(), vec!["two".into()]),
        ],
        clients: vec![("one".into(), 40.0), ("two".into(), 39.6)],
        moving: None,
    };
    assert_eq!(lines(&scene).len(), 5);
    assert_eq!(line(&scene), "one 40/s, two 40/s");
    scene.moving = Some(Moving {
        from: 1,
        to: 2,
        state: "precopy".into(),
        round: 2,
        transferred_bytes: 3 << 20,
        remaining_bytes: 4096,
        dirty_pages_per_s: 12,
        throttle_percent: 20,
    });
    let text = line(&scene);
    for part in [
        "host 1 → 2: precopy, round 2",
        "3.00 MiB",
        "lose 20 %",
        "two 40/s",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

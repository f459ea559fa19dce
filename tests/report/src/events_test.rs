use super::*;

#[test]
fn an_event_survives_its_line() {
    let event = Event::Progress {
        what: "calls".into(),
        done: 1,
        total: 2,
        per_second: 3.5,
    };
    let mut line = Vec::new();
    event.write_to(&mut line).expect("writes");
    let text = String::from_utf8(line).expect("text");
    assert!(text.ends_with('\n') && text.matches('\n').count() == 1);
    assert_eq!(Event::from_line(&text), Some(event));
}

#[test]
fn other_lines_are_no_events() {
    for line in ["", "hello", "{}", "{\"event\":\"nonsense\"}", "[1]"] {
        assert_eq!(Event::from_line(line), None, "{line}");
    }
}

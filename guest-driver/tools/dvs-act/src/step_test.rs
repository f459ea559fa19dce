use super::*;

#[test]
fn steps_are_understood() {
    let second = Timeout::After(Duration::from_secs(1));
    for (text, step, shown) in [
        ("gate", Step::Gate, "gate"),
        ("receive", Step::Receive(Timeout::Forever), "receive"),
        ("receive:now", Step::Receive(Timeout::NoWait), "receive"),
        (
            "send:4:one:1000",
            Step::Send(4, "one".into(), second),
            "send one to 4",
        ),
        (
            "sendrec:-5:two",
            Step::Sendrec(-5, "two".into(), Timeout::Forever),
            "sendrec two to -5",
        ),
        ("answer:three", Step::Answer("three".into()), "answer three"),
        ("await-unbound:7", Step::AwaitUnbound(7), "await-unbound 7"),
    ] {
        let understood: Step = text.parse().expect(text);
        assert_eq!(understood, step);
        assert_eq!(understood.to_string(), shown);
    }
}

#[test]
fn what_is_no_step_is_refused() {
    for text in [
        "",
        "gates",
        "receive:soon",
        "receive:1:2",
        "send:4",
        "send:x:y",
        "send:4:a:now:b",
        "notify:",
        "answer",
    ] {
        assert!(text.parse::<Step>().is_err(), "{text}");
    }
}

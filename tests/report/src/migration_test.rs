use crate::{ClientFigures, DowntimeParts, Event, Figures, Migration, MigrationReport, Mode};

fn report() -> MigrationReport {
    MigrationReport {
        scenario: "migrate-under-load".into(),
        mode: Mode::Nested,
        migrations: vec![Migration {
            from: 1,
            to: 2,
            total_ms: 900.0,
            downtime_ms: 12.5,
            downtime_parts: DowntimeParts::default(),
            rounds: 3,
            data_pages: 7,
            zero_pages: 1,
            transferred_bytes: 30_000,
            throttle_percent: 0,
            longest_stall_ms: 20.0,
        }],
        clients: Vec::new(),
        rpcs: 10,
        copies: 2,
        pages_written: 5,
        lost: 0,
        duplicated: 0,
        out_of_order: 0,
        errors: 0,
        max_stall_ms: 20.0,
        guest_kernel: "6.1".into(),
        seconds: 60.0,
        picture: None,
    }
}

#[test]
fn figures_of_moves_come_through_the_stream() {
    let event = Event::Demo(Figures::Moves(report()));
    let mut line = Vec::new();
    event.write_to(&mut line).expect("written");
    let line = String::from_utf8(line).expect("text");
    assert_eq!(Event::from_line(&line), Some(event));
    for key in ["\"migrations\"", "\"downtime_parts\"", "\"max_stall_ms\""] {
        assert!(line.contains(key), "{line}");
    }
}

#[test]
fn one_error_of_any_kind_is_too_many() {
    assert!(report().whole());
    for wrong in [
        MigrationReport {
            lost: 1,
            ..report()
        },
        MigrationReport {
            duplicated: 1,
            ..report()
        },
        MigrationReport {
            out_of_order: 1,
            ..report()
        },
        MigrationReport {
            errors: 1,
            ..report()
        },
    ] {
        assert!(!wrong.whole());
    }
}

#[test]
fn rounds_are_added_up() {
    let client = |calls, calm, moving| ClientFigures {
        name: "client".into(),
        calls,
        longest_calm_ms: calm,
        longest_moving_ms: moving,
    };
    let round = |clients, lost, stall| MigrationReport {
        clients: vec![clients],
        lost,
        max_stall_ms: stall,
        ..report()
    };
    let mut all = round(client(3, 1.0, 9.0), 0, 9.0);
    all.add(round(client(4, 2.0, 5.0), 1, 5.0));
    let both = MigrationReport {
        migrations: [report().migrations, report().migrations].concat(),
        clients: vec![client(7, 2.0, 9.0)],
        rpcs: 20,
        copies: 4,
        pages_written: 10,
        lost: 1,
        max_stall_ms: 9.0,
        seconds: 120.0,
        ..report()
    };
    assert_eq!(all, both);
    assert!(!all.whole());
}

use super::*;

fn counters(parts: &[(&str, &[(&str, u64)])]) -> Counters {
    let of = |it: &[(&str, u64)]| {
        it.iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect()
    };
    parts
        .iter()
        .map(|(part, list)| ((*part).to_owned(), of(list)))
        .collect()
}

/// What a booted machine with two vCPUs says.
fn text() -> String {
    let device = [
        ("connected", 1),
        ("connects", 3),
        ("losses", 2),
        ("activations", 1),
        ("resets", 0),
    ];
    let counters = counters(&[
        ("kvm", &[("exits", 12), ("halt_exits", 1)]),
        (
            "vcpu0",
            &[("exits", 5), ("halt_exits", 1), ("not a name", 9)],
        ),
        ("vcpu1", &[("exits", 7)]),
        ("dvs", &device),
        ("serial", &[("lost_bytes", 4)]),
    ]);
    let state = Some(VmState::Running);
    Snapshot { state, counters }.text().unwrap()
}

#[test]
fn a_booted_machine_has_figures_for_each_vcpu_and_device() {
    let text = text();
    for line in [
        "dvs_vmm_state{state=\"Running\"} 1.0",
        "dvs_vmm_vcpu_exits{vcpu=\"0\"} 5.0",
        "dvs_vmm_vcpu_exits{vcpu=\"1\"} 7.0",
        "dvs_vmm_vcpu_halt_exits{vcpu=\"0\"} 1.0",
        "dvs_vmm_device_connected 1.0",
        "dvs_vmm_device_losses_total 2",
        "dvs_vmm_uart_lost_bytes_total{port=\"serial\"} 4",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
    }
    assert!(!text.contains("not a name"));
}

#[test]
fn without_a_machine_there_is_only_the_vmm() {
    let text = Snapshot::default().text().unwrap();
    let figures: Vec<_> = text.lines().filter(|it| !it.starts_with('#')).collect();
    assert_eq!(figures.len(), 1);
    assert!(figures[0].starts_with("dvs_vmm_build_info{version="));
}

#[test]
fn the_dashboard_asks_for_metrics_that_are_there() {
    let board = include_str!("../../../resources/grafana/dvs.json");
    let text = text();
    let word = |it: char| !it.is_ascii_alphanumeric() && it != '_';
    let asked: Vec<_> = board
        .split(word)
        .filter(|it| it.starts_with("dvs_vmm_"))
        .collect();
    assert!(!asked.is_empty());
    for name in asked {
        let family = name.strip_suffix("_total").unwrap_or(name);
        assert!(
            text.contains(&format!("# TYPE {family} ")),
            "{name} is not exposed"
        );
    }
}

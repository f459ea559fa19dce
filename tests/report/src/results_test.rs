use super::*;

fn report(recovery: Option<Recovery>) -> DemoReport {
    DemoReport {
        scenario: "rpc".into(),
        mode: Mode::Nested,
        rpcs: 1,
        lost: 0,
        duplicated: 0,
        out_of_order: 0,
        errors: 0,
        rtt_us: RttUs::default(),
        kicks_per_rpc: 2.0,
        interrupts_per_rpc: 2.0,
        exits_per_rpc: 8.5,
        vmm_runs_per_rpc: 0.0,
        vmm_cpu_percent: 0.0,
        backstop_fired: 0,
        recovery,
        guest_kernel: "6.1".into(),
        seconds: 1.0,
    }
}

#[test]
fn what_faults_took_is_beside_the_other_figures() {
    let report = report(Some(Recovery {
        frames_sent_again: 3,
        duplicates_suppressed: 2,
        backstop_timer_fires: 1,
        max_stall_ms: 1200.5,
    }));
    let json = serde_json::to_value(&report).expect("serializes");
    assert_eq!(json["frames_sent_again"], 3);
    assert_eq!(json["max_stall_ms"], 1200.5);
    assert_eq!(
        serde_json::from_value::<DemoReport>(json).expect("reads"),
        report
    );
}

#[test]
fn without_faults_there_is_nothing_of_them() {
    let report = report(None);
    let json = serde_json::to_value(&report).expect("serializes");
    assert_eq!(json.get("frames_sent_again"), None);
    assert_eq!(json.get("recovery"), None);
    assert_eq!(
        serde_json::from_value::<DemoReport>(json).expect("reads"),
        report
    );
}

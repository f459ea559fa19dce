use super::*;

#[test]
fn results_are_counted_and_nothing_is_skipped() {
    let mut results = Results::default();
    for line in [
        "running 3 tests",
        "test a::b ... ok",
        "test c - should panic ... ok",
        "test d ... FAILED",
        "test e ... ignored, slow",
        "noise",
    ] {
        results.line(line);
    }
    assert_eq!(
        results,
        Results {
            passed: 2,
            failed: vec!["d".into(), "e (switched off)".into()]
        }
    );
}

#[test]
fn only_integration_tests_with_the_right_name_need_kvm() {
    let line = |kind: &str, name: &str, test: bool| {
        format!(
            "{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"/w/vmm/Cargo.toml\",\"executable\":\"/t/x\",\
             \"target\":{{\"name\":\"{name}\",\"kind\":[\"{kind}\"]}},\"profile\":{{\"test\":{test}}}}}"
        )
    };
    let suite = suite_of(&line("test", "kvm_boot", true)).expect("a suite");
    assert!(suite.kvm);
    assert_eq!(suite.name, "vmm/kvm_boot");
    assert_eq!(suite.directory, Path::new("/w/vmm"));
    assert!(!suite_of(&line("lib", "kvm", true)).expect("a suite").kvm);
    assert!(suite_of(&line("bin", "dvs-vmm", false)).is_none());
    assert!(suite_of("{\"reason\":\"build-finished\"}").is_none());
}

use super::*;

#[test]
fn vmx_or_svm_is_found_as_a_whole_word() {
    assert!(has_hardware_virtualization(
        "model : x\nflags\t\t: fpu vmx de\n"
    ));
    assert!(has_hardware_virtualization("flags : svm\n"));
    assert!(!has_hardware_virtualization("flags : fpu svm_lock xvmx\n"));
    assert!(!has_hardware_virtualization(
        "bugs : vmx\nvmx flags : vmx\n"
    ));
}

#[test]
fn legacy_routes_cover_both_controllers_once() {
    let entries: Vec<_> = legacy_routes().map(|e| e.gsi).collect();
    assert_eq!(entries.len(), 16 + 23);
    assert_eq!(entries.iter().filter(|g| **g == 4).count(), 2);
}

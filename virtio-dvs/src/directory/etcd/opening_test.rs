use super::*;

#[test]
fn an_old_etcd_is_refused() {
    for new in ["3.4.23", "3.5.0", "3.10.1", "4.0.0"] {
        assert!(check_version(new).is_ok(), "{new}");
    }
    for old in ["3.3.27", "2.9.9", "", "new"] {
        assert!(check_version(old).is_err(), "{old}");
    }
}

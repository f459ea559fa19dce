use super::*;

#[test]
fn crates_with_several_versions_are_found() {
    let lock = "name = \"vm-memory\"\nname = \"vhost\"\nname = \"vm-memory\"\nname = \"syn\"\nname = \"syn\"\n";
    assert_eq!(several_versions(lock), ["vm-memory"]);
}

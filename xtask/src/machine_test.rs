use super::*;

#[test]
fn a_kernel_that_died_of_itself_is_told_from_one_that_programs_ended() {
    let of_itself = "[  507.07] stack guard page: 0000 [#1]\n\
                     [  507.09] Kernel panic - not syncing: corrupted stack end detected\n\
                     [  507.09] Kernel Offset: 0x3aa00000\n";
    assert_eq!(death(of_itself), Some("corrupted stack end detected"));
    for by_programs in [
        "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
        "Kernel panic - not syncing: System is deadlocked on memory",
        "reboot: Power down",
    ] {
        assert_eq!(death(by_programs), None, "{by_programs}");
    }
}

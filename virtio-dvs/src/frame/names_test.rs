use super::*;
use crate::frame::class_of;

#[test]
fn every_kind_has_the_name_that_the_specification_gives_it() {
    let text = include_str!("../../../resources/virtio-dvs-spec.md");
    for kind in 0..=u8::MAX {
        let line = |name: &str| format!("| `DVS_K_{name}` | {kind} |");
        match kind_name(kind) {
            Some(name) => assert!(text.contains(&line(name)), "{name}"),
            None => assert!(class_of(kind).is_none(), "{kind} has no name"),
        }
    }
}

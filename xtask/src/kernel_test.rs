use super::*;

const TABLE: &str = "kernel/a/virtio.ko:\n\
kernel/a/virtio_ring.ko: kernel/a/virtio.ko\n\
kernel/a/virtio_pci.ko: kernel/a/virtio_ring.ko kernel/a/virtio.ko\n";

#[test]
fn needed_modules_come_first_and_once() {
    let order = closure_in(TABLE, &["virtio_ring", "virtio_pci"]).expect("known");
    assert_eq!(
        order,
        [
            "kernel/a/virtio.ko",
            "kernel/a/virtio_ring.ko",
            "kernel/a/virtio_pci.ko"
        ]
    );
}

#[test]
fn an_unknown_module_is_told() {
    let error = closure_in(TABLE, &["pci"]).expect_err("unknown");
    assert!(error.to_string().contains("no module pci"), "{error}");
}

#[test]
fn versions() {
    assert_eq!(major_minor("6.1.0-56").expect("a version"), "6.1");
    assert!(major_minor("6").is_err());
}

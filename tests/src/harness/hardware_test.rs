use super::*;

fn settings() -> Settings {
    Settings {
        kernel: "/k".into(),
        initramfs: "/i".into(),
        programs: "/bin".into(),
        logs: "/logs".into(),
        run: "/run".into(),
        mode: dvs_report::Mode::Native,
    }
}

fn hardware(hypervisor: Hypervisor, attachment: &Attachment) -> Hardware<'_> {
    Hardware {
        hypervisor,
        cpus: 1,
        memory_mib: 256,
        attachment,
        namespace: None,
        vsock: None,
        incoming: None,
        serial_log: Path::new("/logs/serial"),
        agent_socket: Path::new("/run/agent"),
        api_socket: Path::new("/run/api"),
        config: Path::new("/run/config"),
    }
}

#[test]
fn the_configuration_of_our_vmm_names_the_node_or_the_vm() {
    let node = Attachment::Node("/run/vm-1.sock".into());
    let config = hardware(Hypervisor::Dvs, &node).dvs_config(&settings());
    assert_eq!(config["dvs"], json!({"socket": "/run/vm-1.sock"}));
    assert_eq!(config["memory"]["size"], 256 << 20);
    let own = Attachment::InProcess { vm: 1, dcid: 2 };
    let config = hardware(Hypervisor::Dvs, &own).dvs_config(&settings());
    assert_eq!(config["dvs"], json!({"vm": 1, "dcid": 2}));
    let config = hardware(Hypervisor::Dvs, &Attachment::None).dvs_config(&settings());
    assert_eq!(config.get("dvs"), None);
}

#[test]
fn a_guest_of_qemu_gets_a_network_card_with_vhost() {
    let tap = Attachment::Tap("dvs0".into());
    let mut hardware = hardware(Hypervisor::Qemu, &tap);
    let command = format!("{:?}", hardware.qemu(&settings()));
    assert!(
        command.contains("ifname=dvs0") && command.contains("vhost=on"),
        "{command}"
    );
    assert!(!command.contains("vsock"), "{command}");
    hardware.vsock = Some(7);
    let command = format!("{:?}", hardware.qemu(&settings()));
    assert!(command.contains("guest-cid=7"), "{command}");
}

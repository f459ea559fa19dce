use std::io::Write;

use tempfile::NamedTempFile;
use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::machine::memory;

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A bzImage with one setup sector, this much payload, and this much room to unpack.
fn bzimage(payload: usize, init_size: u32) -> Vec<u8> {
    let mut image = vec![0; 1024 + payload];
    image[0x1f1] = 1;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
    image[0x211] = 1;
    image[0x214..0x218].copy_from_slice(&0x10_0000u32.to_le_bytes());
    image[0x22c..0x230].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    image[0x236] = 1;
    image[0x258..0x260].copy_from_slice(&0x100_0000u64.to_le_bytes());
    image[0x260..0x264].copy_from_slice(&init_size.to_le_bytes());
    image
}

fn payload(kernel: &NamedTempFile) -> Payload {
    Payload {
        kernel: kernel.path().to_owned(),
        initramfs: None,
        cmdline: "console=ttyS0".into(),
    }
}

fn boot(payload: &Payload) -> Result<(GuestMemory, u64), BootError> {
    let memory = memory::create(64 << 20).unwrap();
    let entry = load(&memory, payload, 0xe_0000, true)?;
    Ok((memory, entry))
}

#[test]
fn a_kernel_is_loaded_with_its_command_line_and_initramfs() {
    let (kernel, initramfs) = (file(&bzimage(4096, 0x20_0000)), file(&[0x5a; 5000]));
    let payload = Payload {
        initramfs: Some(initramfs.path().to_owned()),
        ..payload(&kernel)
    };
    let (memory, entry) = boot(&payload).unwrap();
    assert_eq!(entry, 0x10_0200);
    let mut text = [0; 14];
    memory
        .read_slice(&mut text, GuestAddress(layout::CMDLINE))
        .unwrap();
    assert_eq!(&text, b"console=ttyS0\0");
    let word = |at| {
        memory
            .read_obj::<u32>(GuestAddress(layout::ZERO_PAGE + at))
            .unwrap()
    };
    let (start, size) = (word(0x218), word(0x21c));
    assert_eq!((u64::from(start) % 4096, size), (0, 5000));
    assert_eq!(
        memory
            .read_obj::<u8>(GuestAddress(u64::from(start) + 4999))
            .unwrap(),
        0x5a
    );
    assert_eq!(
        memory
            .read_obj::<u64>(GuestAddress(layout::ZERO_PAGE + 0x70))
            .unwrap(),
        0xe_0000
    );
}

#[test]
fn a_stock_kernel_needs_hardware_virtualization() {
    let kernel = file(&bzimage(4096, 0x20_0000));
    let memory = memory::create(64 << 20).unwrap();
    let error = load(&memory, &payload(&kernel), 0, false)
        .unwrap_err()
        .to_string();
    assert!(error.contains("vmx") && error.contains("svm"), "{error}");
}

#[test]
fn what_is_no_kernel_is_refused() {
    let mut old = bzimage(4096, 0x20_0000);
    old[0x236] = 0;
    for bytes in [&b""[..], b"hello", b"\x7fELF\x01\x01", &[0; 4096], &old] {
        let kernel = file(bytes);
        assert!(
            matches!(boot(&payload(&kernel)), Err(BootError::NotAKernel(_))),
            "{} bytes",
            bytes.len()
        );
    }
}

#[test]
fn damaged_kernels_are_refused() {
    let mut setup_too_long = bzimage(0, 0x20_0000);
    setup_too_long[0x1f1] = 200;
    let mut load_too_low = bzimage(4096, 0x20_0000);
    load_too_low[0x214..0x218].copy_from_slice(&0x1000u32.to_le_bytes());
    let mut elf = b"\x7fELF\x02\x01".to_vec();
    elf.resize(64, 0xff);
    for bytes in [
        setup_too_long,
        load_too_low,
        elf,
        b"\x7fELF\x02\x01".to_vec(),
    ] {
        let kernel = file(&bytes);
        assert!(matches!(
            boot(&payload(&kernel)),
            Err(BootError::Kernel { .. })
        ));
    }
}

#[test]
fn missing_files_are_named() {
    let kernel = file(&bzimage(4096, 0x20_0000));
    let missing = Payload {
        kernel: "/nowhere/vmlinuz".into(),
        ..payload(&kernel)
    };
    assert!(
        boot(&missing)
            .unwrap_err()
            .to_string()
            .contains("/nowhere/vmlinuz")
    );
    let missing = Payload {
        initramfs: Some("/nowhere/initrd".into()),
        ..payload(&kernel)
    };
    assert!(
        boot(&missing)
            .unwrap_err()
            .to_string()
            .contains("/nowhere/initrd")
    );
    let folder = Payload {
        kernel: "/".into(),
        ..payload(&kernel)
    };
    assert!(
        boot(&folder)
            .unwrap_err()
            .to_string()
            .contains("regular file")
    );
}

#[test]
fn what_does_not_fit_says_how_much_it_needs() {
    let kernel = file(&bzimage(4096, 0x1000_0000));
    let error = boot(&payload(&kernel)).unwrap_err().to_string();
    assert!(error.contains("memory.size"), "{error}");
    let (kernel, initramfs) = (
        file(&bzimage(4096, 0x20_0000)),
        NamedTempFile::new().unwrap(),
    );
    initramfs.as_file().set_len(1 << 40).unwrap();
    let payload = Payload {
        initramfs: Some(initramfs.path().to_owned()),
        ..payload(&kernel)
    };
    let error = boot(&payload).unwrap_err().to_string();
    assert!(
        error.contains("initramfs") && error.contains("memory.size"),
        "{error}"
    );
}

#[test]
fn a_command_line_that_is_too_long_is_refused() {
    let kernel = file(&bzimage(4096, 0x20_0000));
    let payload = Payload {
        cmdline: "x".repeat(layout::CMDLINE_MAX),
        ..payload(&kernel)
    };
    assert!(matches!(boot(&payload), Err(BootError::Cmdline(_))));
}

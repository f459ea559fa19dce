//! KVM's own statistics of a vCPU (KVM_GET_STATS_FD, documented in the kernel's virt/kvm/api).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;

use kvm_ioctls::VcpuFd;
use vmm_sys_util::ioctl::ioctl;

mod ioctls {
    #![allow(
        missing_docs,
        reason = "the macro makes functions without documentation"
    )]
    vmm_sys_util::ioctl_io_nr!(KVM_GET_STATS_FD, kvm_bindings::KVMIO, 0xce);
}

/// Most descriptors that are read; the kernel has about 60.
const MAX_DESCRIPTORS: u32 = 1024;
/// Longest name of a statistic; the kernel's are 48 bytes.
const MAX_NAME: u32 = 256;
const HEADER_SIZE: usize = 24;
const DESCRIPTOR_SIZE: u32 = 16;

/// The statistics of one vCPU, readable while it runs.
#[derive(Debug)]
pub struct VcpuStats {
    file: File,
    /// Name and place of every plain counter, which never change.
    fields: Vec<(String, u64)>,
}

impl VcpuStats {
    /// Opens the statistics; `None` where the host's kernel is older than 5.14.
    pub fn open(vcpu: &VcpuFd) -> io::Result<Option<Self>> {
        // SAFETY: the request takes no argument and returns a new descriptor or an error.
        let fd = unsafe { ioctl(vcpu, ioctls::KVM_GET_STATS_FD()) };
        if fd < 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::ENOTTY | libc::EINVAL | libc::ENOSYS) => Ok(None),
                _ => Err(error),
            };
        }
        // SAFETY: fd was just returned by the kernel and nobody else owns it.
        let file = unsafe { File::from_raw_fd(fd) };
        let fields = read_fields(&file)?;
        Ok(Some(Self { file, fields }))
    }

    /// Reads all plain counters.
    pub fn read(&self) -> io::Result<BTreeMap<String, u64>> {
        self.fields
            .iter()
            .map(|(name, offset)| {
                let mut value = [0; 8];
                self.file.read_exact_at(&mut value, *offset)?;
                Ok((name.clone(), u64::from_ne_bytes(value)))
            })
            .collect()
    }
}

/// Reads the header and the descriptors: which counter is where.
fn read_fields(file: &File) -> io::Result<Vec<(String, u64)>> {
    let mut header = [0; HEADER_SIZE];
    file.read_exact_at(&mut header, 0)?;
    let [_flags, name_size, count, _id, descriptors, data] = words(&header);
    if name_size > MAX_NAME || count > MAX_DESCRIPTORS {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "KVM's statistics have an unknown form",
        ));
    }
    let mut fields = Vec::new();
    for index in 0..count {
        let at = u64::from(descriptors) + u64::from(index) * u64::from(DESCRIPTOR_SIZE + name_size);
        let mut descriptor = vec![0; (DESCRIPTOR_SIZE + name_size) as usize];
        file.read_exact_at(&mut descriptor, at)?;
        fields.extend(
            plain_counter(&descriptor).map(|(name, offset)| (name, u64::from(data) + offset)),
        );
    }
    Ok(fields)
}

/// Name and offset of a statistic that is one number; histograms are left out.
fn plain_counter(descriptor: &[u8]) -> Option<(String, u64)> {
    let (fixed, name) = descriptor.split_at_checked(DESCRIPTOR_SIZE as usize)?;
    let [_flags, exponent_and_size, offset, _bucket] = words(fixed);
    let values = exponent_and_size >> 16;
    let name = name.split(|b| *b == 0).next().unwrap_or_default();
    (values == 1).then(|| {
        (
            String::from_utf8_lossy(name).into_owned(),
            u64::from(offset),
        )
    })
}

fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_ne_bytes(*chunk);
    }
    words
}

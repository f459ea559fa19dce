//! A VMM's front-end for the guest of `virtio_dvs::testing`.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of tests, of which each uses a part"
)]

pub mod etcd;
pub mod follow;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vhost::vhost_user::message::{VhostUserConfigFlags, VhostUserHeaderFlag};
use vhost::vhost_user::{
    Frontend, VhostUserFrontend, VhostUserProtocolFeatures, VhostUserVirtioFeatures,
};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use virtio_bindings::bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;
use virtio_dvs::device::session::PROTOCOL_FEATURES;
use virtio_dvs::frame::{Frame, kind};
use virtio_dvs::node::client::Client;
use virtio_dvs::node::{Node, NodeConfig};
use virtio_dvs::spec::{CONFIG_SIZE, DeviceConfig, QUEUE_COUNT, QUEUE_MSG_RX};
use virtio_dvs::testing::{Guest, MEMORY_SIZE, USER_BASE};
use vmm_sys_util::eventfd::EventFd;
use zerocopy::FromBytes;

/// A node in a directory of its own.
pub struct Host {
    pub directory: TempDir,
    pub node: Option<Node>,
    pub config: NodeConfig,
}

impl Host {
    pub fn new() -> Host {
        Host::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut NodeConfig)) -> Host {
        let directory = TempDir::new().unwrap();
        let mut config = config(directory.path());
        change(&mut config);
        let node = Some(Node::start(config.clone()).unwrap());
        Host {
            directory,
            node,
            config,
        }
    }

    /// Starts the node again after it was stopped.
    pub fn start(&mut self) {
        self.node = Some(Node::start(self.config.clone()).unwrap());
    }

    pub fn client(&self) -> Client {
        Client::new(self.directory.path().join("api.sock"))
    }

    /// Attaches a VM and connects a front-end to it.
    pub fn vm(&self, vm: u32) -> Vmm {
        let attributes = virtio_dvs::vm::VmAttributes::new(vm, 0);
        let attached = self.client().attach(&attributes).unwrap();
        Vmm::start(&attached.socket, vm)
    }

    /// Connects a new VMM to a VM that is attached.
    pub fn vm_again(&self, vm: u32) -> Vmm {
        Vmm::start(&self.socket(vm), vm)
    }

    pub fn socket(&self, vm: u32) -> PathBuf {
        self.directory.path().join(format!("run/vm-{vm}.sock"))
    }
}

pub fn config(directory: &Path) -> NodeConfig {
    NodeConfig {
        api_socket: Some(directory.join("api.sock")),
        run_dir: Some(directory.join("run")),
        ..NodeConfig::default()
    }
}

/// A guest and the front-end that drives its device.
pub struct Vmm {
    pub guest: Guest,
    pub frontend: Frontend,
    /// Those that are in use.
    pub features: u64,
}

/// Feature bit by which a VMM has all writes noted.
pub const LOG_ALL: u64 = VhostUserVirtioFeatures::LOG_ALL.bits();

impl Vmm {
    /// Connects and starts the device, as for a guest that boots.
    pub fn start(socket: &Path, vm: u32) -> Vmm {
        Vmm::start_on(UnixStream::connect(socket).unwrap(), vm)
    }

    pub fn start_on(stream: UnixStream, vm: u32) -> Vmm {
        let mut vmm = Vmm::connect_on(stream, vm);
        vmm.guest.post_receive().unwrap();
        vmm.set_up(&[0; QUEUE_COUNT]);
        assert_eq!(vmm.wait_for(1).len(), 1, "the greeting");
        vmm
    }

    /// Connects and negotiates, no more.
    pub fn connect_on(stream: UnixStream, vm: u32) -> Vmm {
        Vmm::with_guest(stream, Guest::new(vm).unwrap())
    }

    /// The same for a guest that was driven before.
    pub fn with_guest(stream: UnixStream, guest: Guest) -> Vmm {
        let mut vmm = Vmm {
            guest,
            frontend: Frontend::from_stream(stream, QUEUE_COUNT as u64),
            features: 0,
        };
        vmm.negotiate(PROTOCOL_FEATURES);
        vmm.read_config();
        vmm
    }

    pub fn negotiate(&mut self, protocol: VhostUserProtocolFeatures) {
        self.frontend.set_owner().unwrap();
        let offered = self.frontend.get_features().unwrap();
        let features = offered & !(1 << VIRTIO_RING_F_EVENT_IDX) & !LOG_ALL;
        self.frontend.set_features(features).unwrap();
        let offered = self.frontend.get_protocol_features().unwrap();
        self.frontend
            .set_protocol_features(offered & protocol)
            .unwrap();
        self.frontend.set_hdr_flags(VhostUserHeaderFlag::NEED_REPLY);
        // Only now are replies to SET_FEATURES expected.
        self.frontend.set_features(features).unwrap();
        self.features = features;
    }

    pub fn read_config(&mut self) -> DeviceConfig {
        let size = u32::try_from(CONFIG_SIZE).unwrap();
        let empty = [0; CONFIG_SIZE];
        let flags = VhostUserConfigFlags::empty();
        let (_, bytes) = self.frontend.get_config(0, size, flags, &empty).unwrap();
        let config = DeviceConfig::read_from_bytes(&bytes).unwrap();
        self.guest.incarnation = config.incarnation.get();
        config
    }

    pub fn set_memory(&mut self) {
        let region = VhostUserMemoryRegionInfo {
            guest_phys_addr: 0,
            memory_size: MEMORY_SIZE,
            userspace_addr: USER_BASE,
            mmap_offset: 0,
            mmap_handle: self.guest.file.as_raw_fd(),
        };
        self.frontend.set_mem_table(&[region]).unwrap();
    }

    /// Sets memory and rings up and enables them.
    pub fn set_up(&mut self, bases: &[u16; QUEUE_COUNT]) {
        self.set_memory();
        for (queue, &base) in bases.iter().enumerate() {
            self.set_up_ring(queue, base);
        }
    }

    pub fn set_up_ring(&mut self, queue: usize, base: u16) {
        let ring = self.guest.rings[queue];
        let addresses = ring.addresses();
        self.frontend.set_vring_num(queue, ring.size).unwrap();
        let config = VringConfigData {
            queue_max_size: ring.size,
            queue_size: ring.size,
            flags: 0,
            desc_table_addr: addresses.descriptors,
            used_ring_addr: addresses.used,
            avail_ring_addr: addresses.available,
            log_addr: None,
        };
        self.frontend.set_vring_addr(queue, &config).unwrap();
        self.frontend.set_vring_base(queue, base).unwrap();
        let (kick, call) = (&self.guest.kicks[queue], &self.guest.calls[queue]);
        self.frontend.set_vring_call(queue, call).unwrap();
        self.frontend.set_vring_kick(queue, kick).unwrap();
        self.frontend.set_vring_enable(queue, true).unwrap();
    }

    /// Takes the rings out of use; gives where they go on.
    pub fn stop(&self) -> [u16; QUEUE_COUNT] {
        std::array::from_fn(|queue| {
            let base = self.frontend.get_vring_base(queue).unwrap();
            u16::try_from(base).unwrap()
        })
    }

    pub fn kick(&self, queue: usize) {
        self.guest.kicks[queue].write(1).unwrap();
    }

    /// Waits until `count` message frames have come.
    pub fn wait_for(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = self.guest.messages().unwrap();
        while frames.len() < count {
            wait_for_call(&self.guest.calls[QUEUE_MSG_RX]);
            frames.extend(self.guest.messages().unwrap());
        }
        frames
    }

    /// Waits for the response to a control request that was put into the ring.
    pub fn control(&mut self, request: &virtio_dvs::frame::ControlRequest) -> Option<u32> {
        self.guest.request(request).unwrap();
        self.kick(virtio_dvs::spec::QUEUE_CONTROL);
        loop {
            if let Some((status, _)) = self.guest.response().unwrap() {
                return status;
            }
            wait_for_call(&self.guest.calls[virtio_dvs::spec::QUEUE_CONTROL]);
        }
    }

    pub fn bind(&mut self, endpoint: i32) -> u32 {
        let request = virtio_dvs::testing::bind(endpoint, 7);
        assert_eq!(self.control(&request), Some(0));
        // A RETRY may come before it, or what somebody has sent.
        let bound = loop {
            let frames = self.wait_for(1);
            if let Some(bound) = frames.into_iter().find(|it| it.kind == kind::BOUND) {
                break bound;
            }
        };
        assert_eq!(bound.result.get(), 0);
        bound.dst_gen.get()
    }
}

pub fn wait_for_call(call: &EventFd) {
    // SAFETY: the descriptor is open for as long as `call` is borrowed.
    let fd = unsafe { BorrowedFd::borrow_raw(call.as_raw_fd()) };
    let limit = Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)).unwrap();
    assert_eq!(ready, 1, "the guest was not called");
    call.read().unwrap();
}

//! A cluster: nodes around an etcd.

use super::Host;
use virtio_dvs::testing::EtcdServer;

/// An etcd of its own.
pub struct Etcd(EtcdServer);

impl Etcd {
    pub fn start() -> Etcd {
        Etcd(EtcdServer::start().expect("Debian's package etcd-server must be installed"))
    }

    /// It answers nobody any more.
    pub fn pause(&self) {
        self.0.pause().unwrap();
    }

    /// It answers what it was asked meanwhile.
    pub fn go_on(&self) {
        self.0.go_on().unwrap();
    }

    /// A node that is a member of the cluster.
    pub fn host(&self, nodeid: u32) -> Host {
        Host::with(|config| {
            config.nodeid = nodeid;
            config.cluster = Some(self.0.cluster().unwrap());
        })
    }
}

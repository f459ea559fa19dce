//! Several hosts: a wire between any two of them, and a directory that all reach.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::network::{Namespace, Wire};
use super::process::Process;
use super::{COMMAND_LIMIT, Etcd, Host, Lab};

/// Port at which nodes listen for each other.
const PORT: u16 = 7400;

/// Who is connected with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// The directory.
    Directory,
    /// The host with this number, from 1 on; its node has the same.
    Host(u8),
}

impl Member {
    fn name(self) -> String {
        match self {
            Self::Directory => "etcd".into(),
            Self::Host(number) => format!("host-{number}"),
        }
    }

    fn address(self) -> Ipv4Addr {
        let last = match self {
            Self::Directory => 254,
            Self::Host(number) => number,
        };
        Ipv4Addr::new(10, 78, 0, last)
    }

    /// Its device at the wire to another.
    fn device(other: Self) -> String {
        format!("to-{}", other.name())
    }
}

/// Whether nodes encrypt what they send each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// They do not.
    Plain,
    /// By mutual TLS.
    Tls,
}

/// What a cluster shall be.
#[derive(Debug, Clone, Copy)]
pub struct ClusterSpec {
    /// Its hosts.
    pub hosts: u8,
    /// Of its links.
    pub privacy: Privacy,
    /// Length of its nodes' leases in milliseconds; none: the usual one.
    pub lease_ms: Option<u64>,
}

impl ClusterSpec {
    /// So many hosts, with the usual leases.
    #[must_use]
    pub const fn new(hosts: u8, privacy: Privacy) -> Self {
        Self {
            hosts,
            privacy,
            lease_ms: None,
        }
    }
}

/// Hosts, their directory, and the wires between all of them.
///
/// Addresses of members are the same in all clusters, whose networks never meet.
#[derive(Debug)]
pub struct Cluster {
    hosts: Vec<Host>,
    etcd: Etcd,
    wires: Vec<([Member; 2], Wire)>,
    /// Where the certificates are, if there are any.
    certificates: Option<PathBuf>,
}

/// Where a guest can move to.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Number of its node.
    pub number: u8,
    /// The host's address.
    pub address: Ipv4Addr,
    /// The control socket of its node.
    pub node: PathBuf,
    /// The host's network.
    pub network: PathBuf,
    /// Its certificates; none: it trusts everybody.
    pub certificates: Option<PathBuf>,
    /// The most bytes of guest memory that it takes; none: what it has.
    pub memory_max: Option<u64>,
}

impl Cluster {
    /// Starts the directory and so many nodes; what is of this cluster has its name.
    ///
    /// # Errors
    /// Fails if one of them does not answer in time, or we may not make networks.
    pub fn start(lab: &Lab, name: &str, spec: ClusterSpec) -> Result<Self> {
        let mut networks = Networks::of(name);
        networks.add(Member::Directory)?;
        for number in 1..=spec.hosts {
            networks.add(Member::Host(number))?;
        }
        let Networks { members, wires, .. } = networks;
        let mut members = members.into_iter();
        let (directory, namespace) = members.next().context("the directory is the first")?;
        let etcd = Etcd::start(lab, &format!("{name}-etcd"), namespace, directory.address())?;
        let authority = match spec.privacy {
            Privacy::Plain => None,
            Privacy::Tls => Some(Authority::new(lab, name)?),
        };
        let mut hosts = Vec::new();
        for ((member, namespace), number) in members.zip(1..) {
            let mut flags = vec![
                format!("--nodeid={number}"),
                format!("--etcd={}", etcd.url()),
                format!("--listen={}:{PORT}", member.address()),
            ];
            flags.push(match &authority {
                None => "--plaintext".into(),
                Some(authority) => authority.certify(lab, number)?,
            });
            let name = format!("{name}-{}", member.name());
            if let Some(lease) = spec.lease_ms {
                flags.push(with_lease(lab, &name, member, &etcd, lease)?);
            }
            hosts.push(Host::start_in(lab, &name, Some(namespace), flags)?);
        }
        Ok(Self {
            hosts,
            etcd,
            wires,
            certificates: authority.map(|authority| authority.directory),
        })
    }

    /// The host with this number, from 1 on.
    ///
    /// # Errors
    /// Fails if there is none.
    pub fn host(&mut self, number: u8) -> Result<&mut Host> {
        let host = usize::from(number).checked_sub(1);
        let host = host.and_then(|index| self.hosts.get_mut(index));
        host.with_context(|| format!("there is no host {number}"))
    }

    /// All hosts, by their numbers.
    #[must_use]
    pub fn hosts(&self) -> Vec<&Host> {
        self.hosts.iter().collect()
    }

    /// Where its certificates are, if there are any.
    #[must_use]
    pub fn certificates(&self) -> Option<PathBuf> {
        self.certificates.clone()
    }

    /// What a guest has to know of the host with this number to move there.
    ///
    /// # Errors
    /// Fails if there is none.
    pub fn destination(&mut self, number: u8) -> Result<Destination> {
        let certificates = self.certificates();
        let host = self.host(number)?;
        let network = host.network().context("hosts of a cluster have networks")?;
        Ok(Destination {
            number,
            address: Member::Host(number).address(),
            node: host.control().to_owned(),
            network: network.path(),
            certificates,
            memory_max: None,
        })
    }

    /// Certificates like this cluster's, of an authority that it does not know.
    ///
    /// # Errors
    /// Fails if they cannot be made.
    pub fn strange_certificates(&self, lab: &Lab) -> Result<PathBuf> {
        let strange = Authority::new(lab, "strange")?;
        for number in (1..).take(self.hosts.len()) {
            strange.certify(lab, number)?;
        }
        Ok(strange.directory)
    }

    /// The directory.
    pub fn etcd(&mut self) -> &mut Etcd {
        &mut self.etcd
    }

    /// Cuts the wire between two members. Nothing tells them.
    ///
    /// # Errors
    /// Fails if it is cut already.
    pub fn cut(&self, one: Member, other: Member) -> Result<()> {
        self.wire(one, other)?.cut()
    }

    /// Mends the wire between two members.
    ///
    /// # Errors
    /// Fails if it was not cut.
    pub fn heal(&self, one: Member, other: Member) -> Result<()> {
        self.wire(one, other)?.heal()
    }

    /// Mends all wires.
    ///
    /// # Errors
    /// Fails if one of them cannot be mended.
    pub fn heal_all(&self) -> Result<()> {
        let wires = self.wires.iter().map(|(_, wire)| wire);
        wires.filter(|wire| wire.is_cut()).try_for_each(Wire::heal)
    }

    fn wire(&self, one: Member, other: Member) -> Result<&Wire> {
        let between =
            |(ends, _): &&([Member; 2], Wire)| ends.contains(&one) && ends.contains(&other);
        let wire = self.wires.iter().filter(|_| one != other).find(between);
        let wire = wire.with_context(|| format!("no wire goes from {one:?} to {other:?}"))?;
        Ok(&wire.1)
    }
}

/// A configuration file with leases of another length; gives the flag that names it. The other flags hold
/// over what it repeats.
fn with_lease(lab: &Lab, name: &str, member: Member, etcd: &Etcd, lease_ms: u64) -> Result<String> {
    let config = serde_json::json!({"cluster": {
        "listen": format!("{}:{PORT}", member.address()),
        "plaintext": true,
        "etcd": {"endpoints": [etcd.url()], "ttl_ms": lease_ms},
    }});
    let path = lab.run_path(&format!("{name}.json"));
    std::fs::write(&path, config.to_string())?;
    Ok(format!("--config={}", path.display()))
}

/// Networks of members, each connected with all before it.
#[derive(Debug)]
struct Networks {
    cluster: String,
    members: Vec<(Member, Namespace)>,
    wires: Vec<([Member; 2], Wire)>,
}

impl Networks {
    fn of(cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            members: Vec::new(),
            wires: Vec::new(),
        }
    }

    fn add(&mut self, member: Member) -> Result<()> {
        let namespace = Namespace::new(&format!("dvs-{}-{}", self.cluster, member.name()))?;
        namespace.add_address(&format!("{}/32", member.address()))?;
        for (other, theirs) in &self.members {
            let (here, there) = (Member::device(*other), Member::device(member));
            let wire = Wire::new((&namespace, &here), (theirs, &there))?;
            route(&namespace, member, *other)?;
            route(theirs, *other, member)?;
            self.wires.push(([member, *other], wire));
        }
        self.members.push((member, namespace));
        Ok(())
    }
}

/// Has what one member sends to another go by the wire between them.
fn route(namespace: &Namespace, from: Member, to: Member) -> Result<()> {
    let (target, source) = (to.address().to_string(), from.address().to_string());
    let device = Member::device(to);
    namespace.ip(&["route", "add", &target, "dev", &device, "src", &source])
}

/// Who certifies nodes.
struct Authority {
    directory: PathBuf,
}

impl Authority {
    fn new(lab: &Lab, cluster: &str) -> Result<Self> {
        let directory = lab.run_path(&format!("{cluster}-pki"));
        let authority = Self { directory };
        authority.pki(lab, &["ca"])?;
        Ok(authority)
    }

    /// Makes the files of a node; gives the flag that names them.
    fn certify(&self, lab: &Lab, number: u8) -> Result<String> {
        self.pki(lab, &["node", "--id", &number.to_string()])?;
        Ok(format!("--tls-dir={}", self.directory.display()))
    }

    fn pki(&self, lab: &Lab, arguments: &[&str]) -> Result<()> {
        let mut dvsctl = Command::new(lab.settings().program("dvsctl"));
        dvsctl.arg("pki").args(arguments);
        dvsctl.arg("--dir").arg(&self.directory);
        let mut dvsctl = Process::start("dvsctl pki", dvsctl, &lab.log("pki"))?;
        let status = dvsctl.wait(COMMAND_LIMIT)?;
        anyhow::ensure!(
            status.success(),
            "dvsctl pki ended with {status}; its log says why"
        );
        Ok(())
    }
}

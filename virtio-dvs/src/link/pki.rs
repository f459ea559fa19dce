//! A small CA for trying: certificates for the nodes of a cluster.
//!
//! Who runs a CA already lets it make the certificates; see [`crate::link::TlsFiles`] for what must
//! be in them.

use crate::directory::NodeId;
use crate::link::tls::name_of;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use thiserror::Error;

/// File of the CA's certificate in its directory.
pub const CA_CERT: &str = "ca.pem";
/// File of its key.
pub const CA_KEY: &str = "ca.key";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a CA is valid, in days.
const CA_DAYS: u32 = 3650;
/// How long a node's certificate is.
const NODE_DAYS: u32 = 365;
/// Largest file of a key in bytes.
const KEY_MAX: u64 = 1 << 16;

/// Why a certificate is not made.
#[derive(Debug, Error)]
pub enum PkiError {
    /// It is never overwritten.
    #[error(
        "{0} exists; remove it first if it is not needed any more, or choose another directory"
    )]
    Exists(PathBuf),
    /// There is no CA.
    #[error("there is no CA in {0}; make one by `dvsctl pki ca --dir {0}`")]
    NoCa(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The CA's key cannot be used, or a host has no possible name.
    #[error("cannot make the certificate {path}: {error}")]
    Certificate {
        /// The file that was to be.
        path: PathBuf,
        /// What is wrong.
        error: rcgen::Error,
    },
}

/// Files that were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The certificate.
    pub cert: PathBuf,
    /// Its key, which only the owner of the file can read.
    pub key: PathBuf,
}

/// Makes a CA in a directory, which is made too if it is not there.
pub fn make_ca(dir: &Path, now: SystemTime) -> Result<Made, PkiError> {
    std::fs::create_dir_all(dir).map_err(|error| PkiError::Io {
        path: dir.to_path_buf(),
        error,
    })?;
    let made = Made {
        cert: dir.join(CA_CERT),
        key: dir.join(CA_KEY),
    };
    made.must_be_new()?;
    let mut params = ca();
    valid(&mut params, now, CA_DAYS);
    let signed = KeyPair::generate().and_then(|key| Ok((params.self_signed(&key)?.pem(), key)));
    made.write(signed)
}

/// Makes the certificate of a node with the CA in a directory. `hosts` are further names and
/// addresses to put into it; nodes do not look at them.
pub fn make_node(
    dir: &Path,
    node: NodeId,
    hosts: &[String],
    now: SystemTime,
) -> Result<Made, PkiError> {
    let made = Made {
        cert: dir.join(format!("node-{}.pem", node.0)),
        key: dir.join(format!("node-{}.key", node.0)),
    };
    made.must_be_new()?;
    let issuer = read_ca(dir)?;
    let signed = KeyPair::generate().and_then(|key| {
        let params = node_params(node, hosts, now)?;
        Ok((params.signed_by(&key, &issuer)?.pem(), key))
    });
    made.write(signed)
}

/// What every CA of this kind has, so that its key alone makes it an issuer again.
fn ca() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name = named("DVS CA for trying");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn node_params(
    node: NodeId,
    hosts: &[String],
    now: SystemTime,
) -> Result<CertificateParams, rcgen::Error> {
    let names = [&[name_of(node)], hosts].concat();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named(&name_of(node));
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    valid(&mut params, now, NODE_DAYS);
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// From a day ago, since clocks differ.
fn valid(params: &mut CertificateParams, now: SystemTime, days: u32) {
    params.not_before = (now - DAY).into();
    params.not_after = (now + DAY * days).into();
}

fn read_ca(dir: &Path) -> Result<Issuer<'static, KeyPair>, PkiError> {
    let path = dir.join(CA_KEY);
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(KEY_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PkiError::NoCa(dir.to_path_buf()));
        }
        Err(error) => return Err(PkiError::Io { path, error }),
    }
    let key = KeyPair::from_pem(&text);
    let key = key.map_err(|error| PkiError::Certificate { path, error })?;
    Ok(Issuer::new(ca(), key))
}

impl Made {
    fn must_be_new(&self) -> Result<(), PkiError> {
        for path in [&self.cert, &self.key] {
            if path.symlink_metadata().is_ok() {
                return Err(PkiError::Exists(path.clone()));
            }
        }
        Ok(())
    }

    fn write(self, signed: Result<(String, KeyPair), rcgen::Error>) -> Result<Made, PkiError> {
        let (cert, key) = signed.map_err(|error| PkiError::Certificate {
            path: self.cert.clone(),
            error,
        })?;
        write(&self.key, &key.serialize_pem(), 0o600)?;
        write(&self.cert, &cert, 0o644)?;
        Ok(self)
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| PkiError::Io {
        path: path.to_path_buf(),
        error,
    })
}

#[cfg(test)]
#[path = "pki_test.rs"]
mod tests;

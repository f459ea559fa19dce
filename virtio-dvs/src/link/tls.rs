//! Mutual TLS 1.3: who a peer is.
//!
//! The certificate of node N names `node-N.dvs`. Both sides check the other's against the CA and
//! against the number in the handshake.

use crate::directory::NodeId;
use crate::link::config::TlsFiles;
use rustls::client::Resumption;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Connection, Error,
    RootCertStore, ServerConfig, ServerConnection,
};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error as ThisError;

/// Largest file with certificates in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Bytes that wait in the TLS layer to be written, at most.
const BUFFER_LIMIT: usize = 128 << 10;

/// Why certificates cannot be used.
#[derive(Debug, ThisError)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} has no {what} in PEM that is understood: {reason}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is looked for.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The certificate is another node's.
    #[error(
        "the certificate {path} does not name this node; it must have the DNS name {name} among its subject alternative names"
    )]
    Name {
        /// The file.
        path: PathBuf,
        /// What it must name.
        name: String,
    },
    /// They do not fit together.
    #[error("the certificate {path} cannot be used: {error}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: String,
    },
}

/// The name in the certificate of a node.
pub fn name_of(node: NodeId) -> String {
    format!("node-{}.dvs", node.0)
}

/// This node's certificates, ready for use.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    me: NodeId,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    pub fn load(files: &TlsFiles, me: NodeId) -> Result<Tls, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(roots(&files.ca)?);
        let chain = certificates(&files.cert)?;
        let key =
            PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|error| TlsError::Pem {
                path: files.key.clone(),
                what: "private key",
                reason: error.to_string(),
            })?;
        if !names(Some(&chain), me) {
            return Err(TlsError::Name {
                path: files.cert.clone(),
                name: name_of(me),
            });
        }
        let unusable = |error: String| TlsError::Unusable {
            path: files.cert.clone(),
            error,
        };
        let client = client(&provider, &roots, chain.clone(), key.clone_key());
        let server = server(&provider, &roots, chain, key);
        Ok(Tls {
            client: Arc::new(client.map_err(unusable)?),
            server: Arc::new(server.map_err(unusable)?),
            files: files.clone(),
            me,
        })
    }

    /// Reads the files again, for connections from now on. If that fails nothing changes.
    pub fn reload(&mut self) -> Result<(), TlsError> {
        *self = Tls::load(&self.files, self.me)?;
        Ok(())
    }

    /// The dialler's side of a connection to `peer`.
    pub fn dial(&self, peer: NodeId) -> Result<Connection, Error> {
        let name = ServerName::try_from(name_of(peer))
            .map_err(|error| Error::General(error.to_string()))?;
        let mut connection = ClientConnection::new(self.client.clone(), name)?;
        connection.set_buffer_limit(Some(BUFFER_LIMIT));
        Ok(connection.into())
    }

    /// The other side of a connection.
    pub fn accept(&self) -> Result<Connection, Error> {
        let mut connection = ServerConnection::new(self.server.clone())?;
        connection.set_buffer_limit(Some(BUFFER_LIMIT));
        Ok(connection.into())
    }
}

fn client(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, String> {
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots.clone())
        .with_client_auth_cert(chain, key)
        .map_err(|error| error.to_string())?;
    // Every session shows its certificate, so that a new one counts at once.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn server(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, String> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .map_err(|error| error.to_string())?;
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Whether the first of these certificates names a node.
pub fn names(chain: Option<&[CertificateDer<'_>]>, node: NodeId) -> bool {
    let Some(Ok(certificate)) = chain
        .and_then(<[_]>::first)
        .map(ParsedCertificate::try_from)
    else {
        return false;
    };
    ServerName::try_from(name_of(node))
        .is_ok_and(|name| verify_server_name(&certificate, &name).is_ok())
}

/// What an error means and what to do about it.
pub fn explain(error: &Error) -> String {
    let advice = match error {
        Error::InvalidMessage(_) => {
            return "the peer does not speak TLS; use TLS on both nodes, or \"plaintext\": true on both".to_owned();
        }
        Error::InvalidCertificate(problem) => {
            let advice = match problem {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "renew the peer's certificate; its node takes a new file up while it runs"
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "check the clocks of both hosts"
                }
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    "the certificates of all nodes must come from the CA that tls.ca names"
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => {
                    "another node answers at this address, or its certificate lacks the name node-<id>.dvs"
                }
                CertificateError::InvalidPurpose
                | CertificateError::InvalidPurposeContext { .. } => {
                    "a node's certificate must be for servers and for clients"
                }
                _ => "replace the peer's certificate",
            };
            return format!("the peer's certificate is refused: {problem}; {advice}");
        }
        Error::NoCertificatesPresented => "the peer must show a certificate",
        Error::AlertReceived(alert) => {
            let advice = match alert {
                AlertDescription::CertificateExpired => {
                    "this node's certificate has expired; put a new one into its file"
                }
                AlertDescription::UnknownCA => {
                    "this node's certificate does not come from the CA that the peer's tls.ca names"
                }
                _ => "the log of the peer says why",
            };
            return format!("the peer refuses this node ({alert:?}); {advice}");
        }
        _ => "see that both nodes have certificates of one CA",
    };
    format!("TLS fails: {error}; {advice}")
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::Unusable {
            path: path.to_path_buf(),
            error: error.to_string(),
        })?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |reason: String| TlsError::Pem {
        path: path.to_path_buf(),
        what: "certificate",
        reason,
    };
    let text = read(path)?;
    let all = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|error| wrong(error.to_string()))?;
    if all.is_empty() {
        return Err(wrong("there is none".to_owned()));
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut text));
    read.map(|_| text).map_err(|error| TlsError::Io {
        path: path.to_path_buf(),
        error,
    })
}

#[cfg(test)]
#[path = "tls_test.rs"]
mod tests;

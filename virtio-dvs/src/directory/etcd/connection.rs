//! The client of etcd: how it is set up, and what its errors mean.

use crate::directory::DirectoryError;
use crate::directory::etcd::EtcdError;
use crate::directory::etcd::config::EtcdConfig;
use etcd_client::{Certificate, Client, ConnectOptions, Error, Identity, TlsOptions};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// A request that has no answer by then is given up and made again, perhaps to another member.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// Until a member is connected.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a silent connection is tried; etcd refuses to be asked more often.
const PING_INTERVAL: Duration = Duration::from_secs(6);
/// How long such a try may take.
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest file with a password, a certificate or a key, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// The first pause before a request is repeated, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Codes of gRPC that no repetition cures: a wrong argument, no permission, not enabled, unknown
/// call, not authenticated.
const HOPELESS_CODES: [i32; 5] = [3, 7, 9, 12, 16];
/// What etcd says when its quota is used up; its code stands for "too many requests" as well.
const NO_SPACE: &str = "space exceeded";

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// None came in time.
    Silent,
    /// The connection or etcd failed.
    Etcd(Error),
}

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Fail {
    /// It may be done later; it may even have been done.
    Away(Trouble),
    /// It must not be done.
    Refused(DirectoryError),
}

impl From<Error> for Fail {
    fn from(error: Error) -> Fail {
        Fail::Away(Trouble::Etcd(error))
    }
}

impl From<DirectoryError> for Fail {
    fn from(error: DirectoryError) -> Fail {
        Fail::Refused(error)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Silent => formatter.write_str("no answer in time"),
            Trouble::Etcd(Error::GRpcStatus(status)) => {
                formatter.write_str(status.message())?;
                write_causes(formatter, std::error::Error::source(status))
            }
            Trouble::Etcd(Error::TransportError(error)) => {
                write!(formatter, "{error}")?;
                write_causes(formatter, std::error::Error::source(error))
            }
            Trouble::Etcd(error) => write!(formatter, "{error}"),
        }
    }
}

/// The innermost cause says most.
fn write_causes(
    formatter: &mut std::fmt::Formatter<'_>,
    mut cause: Option<&(dyn std::error::Error + 'static)>,
) -> std::fmt::Result {
    while let Some(error) = cause {
        write!(formatter, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

impl Trouble {
    /// Whether waiting does not help.
    pub(super) fn is_hopeless(&self) -> bool {
        match self {
            Trouble::Etcd(Error::GRpcStatus(status)) => {
                let code = i32::from(status.code());
                HOPELESS_CODES.contains(&code) || status.message().contains(NO_SPACE)
            }
            Trouble::Etcd(Error::InvalidArgs(_) | Error::InvalidUri(_)) => true,
            _ => false,
        }
    }
}

/// What the client needs to know, with the files read.
pub(super) fn options(config: &EtcdConfig) -> Result<ConnectOptions, EtcdError> {
    let mut options = ConnectOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_keep_alive(PING_INTERVAL, PING_TIMEOUT)
        .with_keep_alive_while_idle(true)
        // A member that has lost the others must not keep us waiting for news.
        .with_require_leader(true)
        .with_auto_token_refresh(true);
    if let (Some(user), Some(file)) = (&config.user, &config.password_file) {
        let text = read(file)?;
        let text = String::from_utf8_lossy(&text);
        options = options.with_user(user, text.lines().next().unwrap_or_default());
    }
    let Some(ca) = &config.ca else {
        return Ok(options);
    };
    let mut tls = TlsOptions::new().ca_certificate(Certificate::from_pem(read(ca)?));
    if let (Some(cert), Some(key)) = (&config.cert, &config.key) {
        tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
    }
    Ok(options.with_tls(tls))
}

fn read(path: &Path) -> Result<Vec<u8>, EtcdError> {
    let fail = |error| EtcdError::File {
        path: path.to_path_buf(),
        error,
    };
    let mut content = Vec::new();
    let mut file = File::open(path).map_err(fail)?.take(FILE_MAX + 1);
    file.read_to_end(&mut content).map_err(fail)?;
    if content.len() as u64 > FILE_MAX {
        return Err(fail(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(content)
}

/// Connects and proves who we are.
pub(super) async fn connect(
    config: &EtcdConfig,
    options: &ConnectOptions,
) -> Result<Client, Trouble> {
    let connecting = Client::connect(&config.endpoints, Some(options.clone()));
    in_time(REQUEST_TIMEOUT, connecting).await
}

/// Gives a request up when its time is over.
pub(super) async fn in_time<T>(
    limit: Duration,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, request).await {
        Ok(answer) => answer.map_err(Trouble::Etcd),
        Err(_) => Err(Trouble::Silent),
    }
}

/// A request of the usual kind.
pub(super) async fn ask<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, Trouble> {
    in_time(REQUEST_TIMEOUT, request).await
}

/// Pauses that grow, each of a random part of its length so that nodes do not come all at once.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) const fn new() -> Backoff {
        Backoff { next: PAUSES.0 }
    }

    pub(super) async fn pause(&mut self) {
        let part = u32::try_from(random() % 512).unwrap_or(0);
        tokio::time::sleep(self.next * (512 + part) / 1024).await;
        self.next = (self.next * 2).min(PAUSES.1);
    }
}

/// A random number.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(())
}

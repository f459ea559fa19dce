//! A client of the control API that waits for each answer.

use crate::node::client::connection::Connection;
use crate::node::control::{
    Attached, Detach, EndpointInfo, EndpointMove, EndpointMoved, Info, LinkInfo, NodeInfo, OfVm,
    Ping, Place, PortCounts, PortInfo, Prepare, Refused, Take, Taken, Trace, TraceRequest,
};
use crate::vm::VmAttributes;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;

mod connection;

/// How long an answer may take, beside what the node was given to do.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("cannot connect to the node at {path}: {error}; is dvs-node running there?")]
    Connect {
        /// The API's socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The connection broke, or speaks something else.
    #[error("the connection to the node at {path} failed: {error}")]
    Broken {
        /// The API's socket.
        path: PathBuf,
        /// What happened.
        error: String,
    },
    /// No answer in time.
    #[error("the node at {0} does not answer")]
    Timeout(PathBuf),
    /// The node refuses.
    #[error("{error}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The node's sentence.
        error: String,
    },
}

/// The control API of one node.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
    /// How long an answer may take.
    patience: Duration,
    /// A connection that nobody uses just now.
    kept: Option<Arc<Mutex<Option<Connection>>>>,
}

impl Client {
    /// The node whose API listens at `path`. Connects with each request.
    pub fn new(path: impl Into<PathBuf>) -> Client {
        Client {
            path: path.into(),
            patience: ANSWER_TIME,
            kept: None,
        }
    }

    /// The same, but a connection is used again, also by its clones: for those who have no time to connect.
    #[must_use]
    pub fn kept_open(self) -> Client {
        Client {
            kept: Some(Arc::default()),
            ..self
        }
    }

    /// Where the API listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the node answers.
    pub fn ping(&self) -> Result<Ping, ClientError> {
        self.get("node.ping")
    }

    /// About the node.
    pub fn info(&self) -> Result<Info, ClientError> {
        self.get("node.info")
    }

    /// Attaches a VM.
    pub fn attach(&self, attributes: &VmAttributes) -> Result<Attached, ClientError> {
        self.put("vm.attach", attributes)
    }

    /// Detaches a VM.
    pub fn detach(&self, vm: u32) -> Result<(), ClientError> {
        self.call(Method::PUT, "vm.detach", Some(&Detach { vm }))
            .map(drop)
    }

    /// Where a VM of this node lives, after a look at its record; refused unless the node could let it
    /// move now.
    pub fn place(&self, vm: u32) -> Result<Place, ClientError> {
        self.put("vm.place", &OfVm { vm })
    }

    /// Makes a port for a VM that lives at `place` and may come here.
    pub fn prepare(&self, vm: u32, place: Place) -> Result<Attached, ClientError> {
        self.put("vm.prepare", &Prepare { vm, place })
    }

    /// From now on nothing is carried for a VM and from it, until it is taken or released.
    pub fn hold(&self, vm: u32) -> Result<Place, ClientError> {
        self.put("vm.hold", &OfVm { vm })
    }

    /// Has the node take a VM from where it is said to live; gives where it lives afterwards.
    /// An error settles nothing: the VM may have been taken.
    pub fn take(&self, vm: u32, from: Place) -> Result<Taken, ClientError> {
        self.put("vm.take", &Take { vm, from })
    }

    /// Carries again for a VM what it was held for, or lets one that was taken run: refused if it was given
    /// back meanwhile.
    pub fn release(&self, vm: u32) -> Result<(), ClientError> {
        self.call(Method::PUT, "vm.release", Some(&OfVm { vm }))
            .map(drop)
    }

    /// Removes the port of a VM that is not here any more, or not yet. One that was taken must not have run:
    /// it is given back.
    pub fn forget(&self, vm: u32) -> Result<(), ClientError> {
        self.call(Method::PUT, "vm.forget", Some(&OfVm { vm }))
            .map(drop)
    }

    /// All ports.
    pub fn ports(&self) -> Result<Vec<PortInfo>, ClientError> {
        self.get("ports")
    }

    /// All endpoints.
    pub fn endpoints(&self) -> Result<Vec<EndpointInfo>, ClientError> {
        self.get("endpoints")
    }

    /// Does a step of the move of an endpoint, and waits for its guest.
    pub fn move_endpoint(&self, step: &EndpointMove) -> Result<EndpointMoved, ClientError> {
        let patient = Client {
            patience: ANSWER_TIME.saturating_add(Duration::from_millis(step.timeout_ms)),
            ..self.clone()
        };
        patient.put("endpoint.move", step)
    }

    /// What was counted.
    pub fn counters(&self) -> Result<Vec<PortCounts>, ClientError> {
        self.get("counters")
    }

    /// The nodes of the cluster.
    pub fn nodes(&self) -> Result<Vec<NodeInfo>, ClientError> {
        self.get("nodes")
    }

    /// The links to other nodes.
    pub fn links(&self) -> Result<Vec<LinkInfo>, ClientError> {
        self.get("links")
    }

    /// Follows the calls of an endpoint; waits until the trace ends.
    pub fn trace(&self, request: &TraceRequest) -> Result<Trace, ClientError> {
        self.put("trace", request)
    }

    fn put<T: DeserializeOwned>(
        &self,
        name: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = self.call(Method::PUT, name, Some(body))?;
        self.parse(&body)
    }

    fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, ClientError> {
        let body = self.call(Method::GET, name, None::<&()>)?;
        self.parse(&body)
    }

    fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|error| self.broken(error))
    }

    fn call(
        &self,
        method: Method,
        name: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Bytes, ClientError> {
        let body = body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|error| self.broken(error))?;
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/{name}"))
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| self.broken(error))?;
        let (status, body) = self.exchange(request)?;
        if status.is_success() {
            return Ok(body);
        }
        let refused = serde_json::from_slice::<Refused>(&body);
        Err(ClientError::Refused {
            status: status.as_u16(),
            error: refused.map_or_else(|_| status.to_string(), |refused| refused.error),
        })
    }

    fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), ClientError> {
        let kept = self.kept.as_ref().and_then(|kept| lock(kept).take());
        let open = |mut kept: Connection| kept.is_open().then_some(kept);
        let mut connection = match kept.and_then(open) {
            Some(connection) => connection,
            None => Connection::open(&self.path)?,
        };
        let answer = connection.exchange(request, self.patience)?;
        if let Some(kept) = &self.kept {
            *lock(kept) = Some(connection);
        }
        Ok(answer)
    }

    fn broken(&self, error: impl std::fmt::Display) -> ClientError {
        broken(&self.path, error)
    }
}

fn broken(path: &Path, error: impl std::fmt::Display) -> ClientError {
    ClientError::Broken {
        path: path.to_owned(),
        error: error.to_string(),
    }
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

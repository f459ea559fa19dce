//! A client of a REST interface on a Unix socket. Connects with each request and waits for the answer.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// How long an answer may take; a boot with a large initramfs takes some seconds.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// Largest answer in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("cannot connect to {path:?}: {source} (is the server running there?)")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke, or the other side speaks something else.
    #[error("the connection to {path:?} failed: {reason}")]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// No answer in time.
    #[error("{0:?} does not answer")]
    Silent(PathBuf),
    /// The server refuses.
    #[error("{error}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's sentence.
        error: String,
    },
}

/// A client of the REST interface behind one socket.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

impl Client {
    /// A client of the socket at `path`.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Asks for `name`.
    pub fn get(&self, name: &str) -> Result<Value, ClientError> {
        Ok(self.call(Method::GET, name, None)?.unwrap_or(Value::Null))
    }

    /// Orders `name`; an answer without a body is `None`.
    pub fn put(&self, name: &str, body: Option<&Value>) -> Result<Option<Value>, ClientError> {
        self.call(Method::PUT, name, body)
    }

    fn call(
        &self,
        method: Method,
        name: &str,
        body: Option<&Value>,
    ) -> Result<Option<Value>, ClientError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/{name}"))
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| self.broken(e))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| self.broken(e))?;
        let exchange = async { tokio::time::timeout(ANSWER_TIME, self.exchange(request)).await };
        let answer = runtime
            .block_on(exchange)
            .map_err(|_| ClientError::Silent(self.path.clone()))?;
        let (status, body) = answer?;
        self.understand(status, &body)
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let stream =
            UnixStream::connect(&self.path)
                .await
                .map_err(|source| ClientError::Connect {
                    path: self.path.clone(),
                    source,
                })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| self.broken(e))?;
        let answer = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|e| self.broken(e))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await
                .map_err(|e| self.broken(e))?;
            Ok((status, body.to_bytes()))
        };
        let drive = async {
            // Its error, if any, comes out of the request as well.
            drop(connection.await);
            std::future::pending().await
        };
        tokio::select! {
            answer = answer => answer,
            () = drive => Err(self.broken("it was closed")),
        }
    }

    fn understand(&self, status: StatusCode, body: &[u8]) -> Result<Option<Value>, ClientError> {
        let value = match body {
            [] => None,
            _ => serde_json::from_slice::<Value>(body).ok(),
        };
        if status.is_success() {
            return match (value, body) {
                (None, [_, ..]) => Err(self.broken("the answer is not JSON")),
                (value, _) => Ok(value),
            };
        }
        let error = value
            .as_ref()
            .and_then(|v| v.get("error"))
            .and_then(Value::as_str);
        let error = error.map_or_else(|| status.to_string(), str::to_owned);
        Err(ClientError::Refused {
            status: status.as_u16(),
            error,
        })
    }

    fn broken(&self, reason: impl std::fmt::Display) -> ClientError {
        ClientError::Broken {
            path: self.path.clone(),
            reason: reason.to_string(),
        }
    }
}

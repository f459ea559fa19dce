//! One connection of a client, for one request after the other.

use super::{ClientError, broken};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// Largest answer, in bytes.
const ANSWER_MAX: usize = 64 << 20;

/// What carries bytes there and back, as long as somebody waits for an answer.
type Carrier = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection. It stands still but in [`Connection::exchange`].
pub(super) struct Connection {
    path: PathBuf,
    /// Until the connection is over.
    carrier: Option<Carrier>,
    sender: SendRequest<Full<Bytes>>,
    runtime: Runtime,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects.
    pub(super) fn open(path: &Path) -> Result<Connection, ClientError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| broken(path, error))?;
        let (sender, carrier) = runtime.block_on(async {
            let stream = UnixStream::connect(path).await;
            let stream = stream.map_err(|error| ClientError::Connect {
                path: path.to_owned(),
                error,
            })?;
            let opened = http1::handshake(TokioIo::new(stream)).await;
            opened.map_err(|error| broken(path, error))
        })?;
        Ok(Connection {
            path: path.to_owned(),
            carrier: Some(Box::pin(carrier)),
            sender,
            runtime,
        })
    }

    /// Whether the node has not closed it, as far as that can be seen at once.
    pub(super) fn is_open(&mut self) -> bool {
        let carried = carry(&mut self.carrier);
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = carried => {}
                // Once around, so that what the system knows is heard.
                () = tokio::task::yield_now() => {}
            }
        });
        self.carrier.is_some()
    }

    /// Asks, and waits for the answer, so long at most.
    pub(super) fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let path = &self.path;
        let sender = &mut self.sender;
        let carried = carry(&mut self.carrier);
        let answered = async {
            let answer = sender.send_request(request).await;
            let answer = answer.map_err(|error| broken(path, error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
            let body = body.map_err(|error| broken(path, error))?;
            Ok((status, body.to_bytes()))
        };
        let exchange = async {
            tokio::pin!(answered);
            tokio::select! {
                answered = &mut answered => return answered,
                () = carried => {}
            }
            // A connection that is over ends the request, which knows best why.
            answered.await
        };
        let answered = self
            .runtime
            .block_on(async { timeout(patience, exchange).await });
        answered.map_err(|_| ClientError::Timeout(self.path.clone()))?
    }
}

/// Carries until the connection is over.
async fn carry(carrier: &mut Option<Carrier>) {
    if let Some(carrying) = carrier {
        // The request is told of an error.
        carrying.await.ok();
        *carrier = None;
    }
}

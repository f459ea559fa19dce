//! Figures over TCP, for a Prometheus on another host. Nothing else can be asked for here.

use crate::metrics::{CONTENT_TYPE, Metrics};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE as CONTENT_TYPE_HEADER;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Clients that are served at once; others wait in the socket's queue.
const CLIENTS_MAX: usize = 8;
/// How long a client may take for its question and for reading the answer.
const CLIENT_TIME: Duration = Duration::from_secs(10);
/// Bytes of a request's head, at most.
const HEAD_MAX: usize = 16 << 10;

/// A TCP address at which figures can be asked for.
#[derive(Debug)]
pub struct MetricsListener(TcpListener);

impl MetricsListener {
    /// Listens; no client is served before [`MetricsListener::serve`].
    pub fn bind(address: SocketAddr) -> io::Result<MetricsListener> {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(MetricsListener(socket))
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves clients for as long as it is polled, on a runtime with I/O and time.
    pub async fn serve(self, metrics: Arc<Metrics>) -> io::Result<()> {
        let socket = tokio::net::TcpListener::from_std(self.0)?;
        let room = Arc::new(Semaphore::new(CLIENTS_MAX));
        loop {
            // Never closed, so that there is always a place after a while.
            let place = room.clone().acquire_owned().await;
            match socket.accept().await {
                Ok((stream, _)) => {
                    let metrics = metrics.clone();
                    tokio::spawn(async move {
                        // A client that is slow or has left is its own affair.
                        let _ = timeout(CLIENT_TIME, converse(stream, metrics)).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!("cannot take a client of the metrics: {error}");
                    // Descriptors may have run out; others give theirs back.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

async fn converse(stream: TcpStream, metrics: Arc<Metrics>) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let answer = answer(&request, &metrics);
        async { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return sentence(StatusCode::NOT_FOUND, "there is only /metrics here\n");
    }
    if request.method() != Method::GET {
        return sentence(StatusCode::METHOD_NOT_ALLOWED, "/metrics takes GET only\n");
    }
    let Ok(text) = metrics.text() else {
        return sentence(StatusCode::SERVICE_UNAVAILABLE, "the node has stopped\n");
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let form = hyper::header::HeaderValue::from_static(CONTENT_TYPE);
    response.headers_mut().insert(CONTENT_TYPE_HEADER, form);
    response
}

fn sentence(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

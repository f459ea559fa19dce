//! The REST API: HTTP on a Unix socket, JSON bodies, on a thread of its own. Paths are Cloud Hypervisor's.

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::{MethodRouter, get, put};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::oneshot;
use virtio_dvs::socket::Listener;

use super::config::{VmConfig, from_json};
use super::metrics::Snapshot;
use super::{ApiError, Request, Response};
use crate::control::{Mailbox, Message};

/// Largest body of a request in bytes.
const MAX_BODY: usize = 1 << 20;
/// How long the end of the VMM waits for answers that are on their way.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The API's thread. It ends when this is dropped, after the answers that are on their way.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<()>,
}

impl Server {
    /// Serves requests that come to `listener` by sending them to `mailbox`.
    pub fn start(listener: Listener, mailbox: Mailbox) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let socket = listener.socket().try_clone()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (end, ended) = mpsc::channel();
        let serve = async move {
            let socket = tokio::net::UnixListener::from_std(socket)?;
            let stopped = async {
                // Dropping the sender stops the server as well.
                drop(stopped.await);
            };
            axum::serve(socket, router(mailbox))
                .with_graceful_shutdown(stopped)
                .await
        };
        std::thread::Builder::new()
            .name("api".into())
            .spawn(move || {
                if let Err(error) = runtime.block_on(serve) {
                    tracing::error!(%error, "the REST API has ended");
                }
                // The socket's file goes with the server.
                drop(listener);
                drop(end);
            })?;
        Ok(Self {
            stop: Some(stop),
            ended,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A client that does not take its answer holds nobody up.
        if self.ended.recv_timeout(LAST_ANSWERS) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::debug!("a client of the REST API did not take its answer");
        }
    }
}

fn router(mailbox: Mailbox) -> Router {
    Router::new()
        .route(
            "/api/v1/vmm.ping",
            get(|State(mailbox): State<Mailbox>| ask(mailbox, Request::Ping)),
        )
        .route("/api/v1/vmm.shutdown", order(Request::VmmShutdown))
        .route("/api/v1/vm.create", put(create))
        .route("/api/v1/vm.boot", order(Request::Boot))
        .route("/api/v1/vm.info", question(Request::Info))
        .route("/api/v1/vm.counters", question(Request::Counters))
        .route("/api/v1/vm.pause", order(Request::Pause))
        .route("/api/v1/vm.resume", order(Request::Resume))
        .route("/api/v1/vm.shutdown", order(Request::Shutdown))
        .route("/api/v1/vm.reboot", order(Request::Reboot))
        .route("/api/v1/vm.power-button", order(Request::PowerButton))
        .route("/api/v1/vm.delete", order(Request::Delete))
        .route(
            "/api/v1/vm.send-migration",
            put(|mailbox, body| with_body(mailbox, body, Request::SendMigration)),
        )
        .route(
            "/api/v1/vm.receive-migration",
            put(|mailbox, body| with_body(mailbox, body, Request::ReceiveMigration)),
        )
        .route(
            "/api/v1/vm.migration-progress",
            question(Request::MigrationProgress),
        )
        .route(
            "/api/v1/vm.migration-cancel",
            order(Request::MigrationCancel),
        )
        .route("/metrics", get(metrics))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(mailbox)
}

fn order(request: Request) -> MethodRouter<Mailbox> {
    put(move |State(mailbox): State<Mailbox>| ask(mailbox, request))
}

fn question(request: Request) -> MethodRouter<Mailbox> {
    get(move |State(mailbox): State<Mailbox>| ask(mailbox, request))
}

async fn create(
    State(mailbox): State<Mailbox>,
    body: Result<Bytes, BytesRejection>,
) -> HttpResponse {
    let body = match body {
        Ok(body) => body,
        Err(error) => return no_body(&error),
    };
    match VmConfig::from_json(&body) {
        Ok(config) => ask(mailbox, Request::Create(Box::new(config))).await,
        Err(error) => refuse(&error.into()),
    }
}

async fn with_body<T: DeserializeOwned>(
    State(mailbox): State<Mailbox>,
    body: Result<Bytes, BytesRejection>,
    request: fn(Box<T>) -> Request,
) -> HttpResponse {
    let body = match body {
        Ok(body) => body,
        Err(error) => return no_body(&error),
    };
    match from_json(&body) {
        Ok(value) => ask(mailbox, request(Box::new(value))).await,
        Err(error) => refuse(&error.into()),
    }
}

fn no_body(error: &BytesRejection) -> HttpResponse {
    let text = format!("the body cannot be taken (at most {MAX_BODY} bytes): {error}");
    sentence(error.status(), &text)
}

async fn ask(mailbox: Mailbox, request: Request) -> HttpResponse {
    match answer(&mailbox, request).await {
        Ok(response) => success(response),
        Err(error) => refuse(&error),
    }
}

async fn answer(mailbox: &Mailbox, request: Request) -> Result<Response, ApiError> {
    let (reply, answer) = oneshot::channel();
    let reply = move |result| {
        // A client that has left does not want its answer.
        drop(reply.send(result));
    };
    mailbox.send(Message::Request(Box::new(request), Box::new(reply)));
    let ending = |_| ApiError::Failed("the VMM is ending".into());
    answer.await.map_err(ending)?
}

/// Without a machine, or before it is booted, there are fewer figures.
async fn metrics(State(mailbox): State<Mailbox>) -> HttpResponse {
    let mut snapshot = Snapshot::default();
    if let Ok(Response::Info(info)) = answer(&mailbox, Request::Info).await {
        snapshot.state = Some(info.state);
    }
    if let Ok(Response::Counters(counters)) = answer(&mailbox, Request::Counters).await {
        snapshot.counters = counters;
    }
    match snapshot.text() {
        Ok(text) => ([(CONTENT_TYPE, virtio_dvs::metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => refuse(&ApiError::Failed(error.to_string())),
    }
}

fn success(response: Response) -> HttpResponse {
    match response {
        Response::Empty => StatusCode::NO_CONTENT.into_response(),
        Response::Ping(ping) => Json(ping).into_response(),
        Response::Info(info) => Json(info).into_response(),
        Response::Counters(counters) => Json(counters).into_response(),
        Response::Receiving(receiving) => Json(receiving).into_response(),
        Response::Progress(progress) => Json(progress).into_response(),
    }
}

fn refuse(error: &ApiError) -> HttpResponse {
    let status = match error {
        ApiError::NoVm | ApiError::NoMigration => StatusCode::NOT_FOUND,
        ApiError::Config(_) => StatusCode::BAD_REQUEST,
        ApiError::Conflict(_) => StatusCode::CONFLICT,
        ApiError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    sentence(status, &error.to_string())
}

fn sentence(status: StatusCode, text: &str) -> HttpResponse {
    (status, Json(json!({ "error": text }))).into_response()
}

async fn no_such_path(uri: Uri) -> HttpResponse {
    sentence(
        StatusCode::NOT_FOUND,
        &format!("there is no {} in this API", uri.path()),
    )
}

async fn wrong_method(method: Method, uri: Uri) -> HttpResponse {
    sentence(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("{} does not take {method}", uri.path()),
    )
}

#[cfg(test)]
#[path = "rest_test.rs"]
mod tests;

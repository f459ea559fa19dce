//! The control API: HTTP on a Unix socket, JSON bodies, on a thread of its own.

use crate::device::remote::Stopped;
use crate::metrics::{self, Metrics, MetricsListener};
use crate::node::control::{Detach, EndpointMove, OfVm, Prepare, Refused, Take, TraceRequest};
use crate::node::refusal::ErrorKind;
use crate::node::service::{Control, NodeError};
use crate::socket::Listener;
use crate::vm::VmAttributes;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// Largest body of a request, in bytes.
const BODY_MAX: usize = 64 << 10;

/// The API's thread. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Api {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is served, and where.
#[derive(Debug)]
pub(super) struct Offer {
    /// Where all of it is.
    pub(super) socket: Listener,
    /// Where the figures are too.
    pub(super) metrics_socket: Option<MetricsListener>,
    /// The figures.
    pub(super) metrics: Metrics,
}

impl Api {
    pub(super) fn start(offer: Offer, control: Control) -> io::Result<Api> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let Offer {
            socket: listener,
            metrics_socket,
            metrics,
        } = offer;
        let metrics = Arc::new(metrics);
        let socket = listener.socket().try_clone()?;
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            let socket = tokio::net::UnixListener::from_std(socket)?;
            let served = axum::serve(socket, router(control, metrics.clone()));
            if let Some(socket) = metrics_socket {
                tokio::spawn(socket.serve(metrics));
            }
            tokio::select! {
                served = served => served,
                // Requests under way are cut off with the node.
                _ = stopped => Ok(()),
            }
        };
        let thread = thread::Builder::new()
            .name("control-api".to_owned())
            .spawn(move || {
                if let Err(error) = runtime.block_on(serve) {
                    tracing::error!("the control API ends: {error}");
                }
                // Whoever still waits for guests is not waited for.
                runtime.shutdown_background();
                // The socket's file goes with the API.
                drop(listener);
            })?;
        Ok(Api {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only if the API has ended.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by itself.
            let _ = thread.join();
        }
    }
}

fn router(control: Control, metrics: Arc<Metrics>) -> Router {
    let figures = Router::new()
        .route("/metrics", get(self::metrics))
        .with_state(metrics);
    Router::new()
        .merge(figures)
        .route("/api/v1/node.ping", get(ping))
        .route("/api/v1/node.info", get(info))
        .route("/api/v1/vm.attach", put(attach))
        .route("/api/v1/vm.detach", put(detach))
        .merge(moves())
        .route("/api/v1/ports", get(ports))
        .route("/api/v1/endpoints", get(endpoints))
        .route("/api/v1/endpoint.move", put(move_endpoint))
        .route("/api/v1/counters", get(counters))
        .route("/api/v1/nodes", get(nodes))
        .route("/api/v1/links", get(links))
        .route("/api/v1/trace", put(trace))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(control)
}

/// What is asked for VMs that move.
fn moves() -> Router<Control> {
    Router::new()
        .route("/api/v1/vm.place", put(place))
        .route("/api/v1/vm.prepare", put(prepare))
        .route("/api/v1/vm.hold", put(hold))
        .route("/api/v1/vm.take", put(take))
        .route("/api/v1/vm.release", put(release))
        .route("/api/v1/vm.forget", put(forget))
}

async fn place(State(control): State<Control>, body: Bytes) -> Response {
    aside(&body, move |of: OfVm| control.place(of.vm).map(Json)).await
}

async fn prepare(State(control): State<Control>, body: Bytes) -> Response {
    let prepare = move |it: Prepare| control.prepare(it.vm, it.place).map(Json);
    aside(&body, prepare).await
}

async fn hold(State(control): State<Control>, body: Bytes) -> Response {
    aside(&body, move |of: OfVm| control.hold(of.vm).map(Json)).await
}

async fn take(State(control): State<Control>, body: Bytes) -> Response {
    let take = move |it: Take| control.take(it.vm, it.from).map(Json);
    aside(&body, take).await
}

async fn release(State(control): State<Control>, body: Bytes) -> Response {
    let release = move |of: OfVm| control.release(of.vm).map(|()| StatusCode::NO_CONTENT);
    aside(&body, release).await
}

async fn forget(State(control): State<Control>, body: Bytes) -> Response {
    let forget = move |of: OfVm| control.forget(of.vm).map(|()| StatusCode::NO_CONTENT);
    aside(&body, forget).await
}

/// Does what a body asks for on a thread of its own: the directory or a guest is waited for, others who ask are
/// not to be.
async fn aside<T, A>(
    body: &Bytes,
    work: impl FnOnce(T) -> Result<A, NodeError> + Send + 'static,
) -> Response
where
    T: DeserializeOwned + Send + 'static,
    A: IntoResponse + Send + 'static,
{
    let asked = match parse::<T>(body) {
        Ok(asked) => asked,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error),
    };
    match tokio::task::spawn_blocking(move || work(asked)).await {
        Ok(Ok(answer)) => answer.into_response(),
        Ok(Err(error)) => failed(&error),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn ping(State(control): State<Control>) -> Response {
    Json(control.ping()).into_response()
}

async fn info(State(control): State<Control>) -> Response {
    answer(control.info())
}

async fn attach(State(control): State<Control>, body: Bytes) -> Response {
    let attach = move |attributes: VmAttributes| control.attach(attributes).map(Json);
    aside(&body, attach).await
}

async fn detach(State(control): State<Control>, body: Bytes) -> Response {
    let detached = match parse::<Detach>(&body) {
        Ok(detach) => control.detach(detach.vm),
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error),
    };
    match detached {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => failed(&error),
    }
}

async fn ports(State(control): State<Control>) -> Response {
    answer(control.ports())
}

async fn endpoints(State(control): State<Control>) -> Response {
    // Guests are waited for, others who ask are not to be.
    match tokio::task::spawn_blocking(move || control.endpoints()).await {
        Ok(endpoints) => answer(endpoints),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn move_endpoint(State(control): State<Control>, body: Bytes) -> Response {
    let step = move |it: EndpointMove| control.move_endpoint(&it).map(Json);
    aside(&body, step).await
}

async fn counters(State(control): State<Control>) -> Response {
    answer(control.counters())
}

async fn nodes(State(control): State<Control>) -> Response {
    answer(control.nodes())
}

async fn links(State(control): State<Control>) -> Response {
    answer(control.links())
}

async fn trace(State(control): State<Control>, body: Bytes) -> Response {
    match parse::<TraceRequest>(&body) {
        Ok(request) => answer(control.trace(request).await),
        Err(error) => refuse(StatusCode::BAD_REQUEST, error),
    }
}

async fn metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => failed(&Stopped.into()),
    }
}

async fn no_such_path(method: Method, uri: Uri) -> Response {
    let error = format!("there is no {method} {}", uri.path());
    refuse(StatusCode::NOT_FOUND, error)
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let error = format!("{} does not take {method}", uri.path());
    refuse(StatusCode::METHOD_NOT_ALLOWED, error)
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not understood: {error}"))
}

fn answer<T: Serialize>(result: Result<T, NodeError>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &NodeError) -> Response {
    let status = match error.kind() {
        ErrorKind::Wrong => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refuse(status, error.to_string())
}

fn refuse(status: StatusCode, error: String) -> Response {
    (status, Json(Refused { error })).into_response()
}

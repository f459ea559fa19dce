//! Endpoints for asynchronous programs with tokio.
//!
//! Receiving needs no thread: the open file is polled. All else that may wait for others is a
//! system call that waits, so it runs on a thread of tokio's blocking pool.

use std::io;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::{JoinError, JoinSet, spawn_blocking};

use crate::address::{Address, Any, OneOrAny};
use crate::device::Dvs;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::grant::{Access, LentBuffer};
use crate::message::{Message, Notification, Received};
use crate::request::{NotRelayed, Request};
use crate::timeout::Timeout;

/// An endpoint for asynchronous programs. Clones are the same endpoint; the last one gives it up.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), dvs::Error> {
/// let endpoint = dvs::AsyncEndpoint::bind(10).await?;
/// endpoint.serve(64, |request| async move { request }).await
/// # }
/// ```
///
/// Dropping the future of a receive takes nothing from the queue. Dropping the future of a call
/// that runs on a thread ([`Self::send`], [`Self::sendrec`], [`Self::blocking`]) leaves that call
/// to itself: it goes on, and keeps its thread and the endpoint, until it is done or its time is
/// over. Give such calls a [`Timeout`]; a runtime that shuts down waits for them too.
#[derive(Clone, Debug)]
pub struct AsyncEndpoint {
    file: Arc<AsyncFd<Arc<Endpoint>>>,
}

impl AsyncEndpoint {
    /// Opens the device and binds a number.
    ///
    /// # Errors
    /// As [`Dvs::open`] and [`Endpoint::bind`].
    ///
    /// # Panics
    /// Outside a tokio runtime that has I/O enabled.
    pub async fn bind(number: i32) -> Result<Self, Error> {
        Self::of(on_a_thread(move || Endpoint::bind(Dvs::open_nonblocking()?, number)).await?)
    }

    /// Of an endpoint that was bound before.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be polled.
    ///
    /// # Panics
    /// Outside a tokio runtime that has I/O enabled.
    pub fn of(endpoint: Endpoint) -> Result<Self, Error> {
        // SAFETY: the endpoint owns the open file of its device, closes it only at its end, and the
        // `AsyncFd` keeps the endpoint.
        let file =
            unsafe { AsyncFd::register_with_interest(Arc::new(endpoint), Interest::READABLE) };
        let file = file.map_err(io::Error::from)?;
        Ok(Self {
            file: Arc::new(file),
        })
    }

    /// The endpoint, for calls that do not wait. One that waits holds up its thread: see
    /// [`Self::blocking`].
    pub fn endpoint(&self) -> &Endpoint {
        self.file.get_ref()
    }

    /// Number and generation.
    pub fn address(&self) -> Address {
        self.endpoint().address()
    }

    /// Waits for something from any endpoint: notifications first, then messages in the order of
    /// their arrival.
    ///
    /// # Errors
    /// [`Error::NotBound`], [`Error::NotConnected`], [`Error::Io`] if the endpoint or the device
    /// is gone; [`Error::WokenUp`].
    pub async fn receive(&self) -> Result<AsyncReceived, Error> {
        self.when_there(|endpoint| {
            Ok(match endpoint.receive(Any, Timeout::NoWait)? {
                Received::Message(message) => AsyncReceived::Message(message),
                Received::Notification(notification) => AsyncReceived::Notification(notification),
                Received::Request(request) => AsyncReceived::Request(self.request(request)),
            })
        })
        .await
    }

    /// Waits for a request from any endpoint. Messages and notifications stay where they are.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub async fn receive_request(&self) -> Result<AsyncRequest, Error> {
        self.when_there(|endpoint| {
            let request = endpoint.receive_request(Any, Timeout::NoWait)?;
            Ok(self.request(request))
        })
        .await
    }

    fn request(&self, request: Request<'_>) -> AsyncRequest {
        let (message, token) = request.into_parts();
        AsyncRequest {
            endpoint: self.clone(),
            message,
            token,
        }
    }

    /// Tries to receive whenever something has come.
    async fn when_there<T>(
        &self,
        take: impl Fn(&Endpoint) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let mut ready = self.file.readable().await?;
            let taken = ready.try_io(|file| match take(file.get_ref()) {
                Err(Error::Again) => Err(io::ErrorKind::WouldBlock.into()),
                other => Ok(other),
            });
            match taken {
                // Nothing there, or a signal came: once more.
                Err(_) | Ok(Ok(Err(Error::Interrupted))) => {}
                Ok(Ok(result)) => return result,
                Ok(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Serves: answers each request by what the future of `answer` gives, `limit` of them at once
    /// (at least one), each in a task of its own. Clients that have left in the meantime do not
    /// end it. Only requests are taken.
    ///
    /// Dropping the future aborts those that are being answered: their clients wait on, until the
    /// endpoint is given up. To stop, select between this and what tells to stop. It returns when
    /// the endpoint is woken up ([`Endpoint::wakeup`]) and a request or message comes.
    ///
    /// # Errors
    /// Whatever makes receiving impossible; [`Error::MessageSize`] if an answer is too long.
    ///
    /// # Panics
    /// If an answer panics.
    pub async fn serve<F, A>(
        &self,
        limit: usize,
        mut answer: impl FnMut(Message) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = A> + Send + 'static,
        A: AsRef<[u8]> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        let outcome = loop {
            while let Some(task) = tasks.try_join_next() {
                answered(task)?;
            }
            if tasks.len() >= limit.max(1) {
                if let Some(task) = tasks.join_next().await {
                    answered(task)?;
                }
                continue;
            }
            match self.receive_request().await {
                Ok(request) => {
                    let answer = answer(request.message.clone());
                    tasks.spawn(async move { request.answer(answer.await.as_ref()) });
                }
                Err(Error::WokenUp) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        while let Some(task) = tasks.join_next().await {
            answered(task)?;
        }
        outcome
    }

    /// Sends, on a thread of the blocking pool; see [`Endpoint::send`].
    ///
    /// # Errors
    /// As [`Endpoint::send`].
    pub async fn send(
        &self,
        to: impl Into<Address>,
        bytes: impl Into<Vec<u8>>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let (to, bytes) = (to.into(), bytes.into());
        self.blocking(move |endpoint| endpoint.send(to, &bytes, timeout))
            .await
    }

    /// Sends a request and waits for its answer, on a thread of the blocking pool; see
    /// [`Endpoint::sendrec`].
    ///
    /// # Errors
    /// As [`Endpoint::sendrec`].
    pub async fn sendrec(
        &self,
        to: impl Into<Address>,
        bytes: impl Into<Vec<u8>>,
        timeout: Timeout,
    ) -> Result<Message, Error> {
        let (to, bytes) = (to.into(), bytes.into());
        self.blocking(move |endpoint| endpoint.sendrec(to, &bytes, timeout))
            .await
    }

    /// Notifies, with a value if one is given, on a thread of the blocking pool: where the
    /// receiver is may have to be asked. See [`Endpoint::notify_value`].
    ///
    /// # Errors
    /// As [`Endpoint::notify`].
    pub async fn notify(&self, to: impl Into<Address>, value: Option<i64>) -> Result<(), Error> {
        let to = to.into();
        self.blocking(move |endpoint| match value {
            Some(value) => endpoint.notify_value(to, value),
            None => endpoint.notify(to),
        })
        .await
    }

    /// Lends a buffer; see [`LentBuffer::new`].
    ///
    /// # Errors
    /// As [`LentBuffer::new`].
    pub fn lend(
        &self,
        buffer: Box<[u8]>,
        access: Access,
        to: impl Into<OneOrAny>,
    ) -> Result<LentBuffer<Arc<Endpoint>>, Error> {
        LentBuffer::new(self.file.get_ref().clone(), buffer, access, to)
    }

    /// Makes any call on a thread of the blocking pool: copies, waits for a bind, …
    ///
    /// ```no_run
    /// # async fn wait(endpoint: dvs::AsyncEndpoint) -> Result<(), dvs::Error> {
    /// let time = std::time::Duration::from_secs(5).into();
    /// let server = endpoint.blocking(move |e| e.device().await_bound(10, time)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `call`.
    ///
    /// # Panics
    /// If `call` panics.
    pub async fn blocking<T: Send + 'static, E: From<Error> + Send + 'static>(
        &self,
        call: impl FnOnce(&Endpoint) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let endpoint = self.file.get_ref().clone();
        on_a_thread(move || call(&endpoint)).await
    }
}

async fn on_a_thread<T: Send + 'static, E: From<Error> + Send + 'static>(
    call: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    spawn_blocking(call)
        .await
        .unwrap_or_else(|error| Err(stopped(error).into()))
}

/// Goes on with the panic of a task; otherwise the runtime shuts down.
fn stopped(error: JoinError) -> Error {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::Interrupted,
    }
}

/// What came of an answer; that its client has left is no error.
fn answered(task: Result<Result<(), Error>, JoinError>) -> Result<(), Error> {
    match task.unwrap_or_else(|error| Err(stopped(error))) {
        Err(error) if error.is_client_gone() => Ok(()),
        outcome => outcome,
    }
}

/// What an [`AsyncEndpoint`] received.
#[derive(Debug)]
pub enum AsyncReceived {
    /// By send; its sender does not wait any more.
    Message(Message),
    /// By sendrec; its sender waits for [`AsyncRequest::answer`].
    Request(AsyncRequest),
    /// By notify.
    Notification(Notification),
}

/// A message whose sender waits for an answer; see [`Request`], of which this is the kind that
/// keeps its endpoint itself, so that any task may have it.
#[derive(Debug)]
#[must_use = "the sender waits until the request is answered"]
pub struct AsyncRequest {
    endpoint: AsyncEndpoint,
    message: Message,
    token: u64,
}

impl AsyncRequest {
    /// What was asked, and by whom.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Answers; the sender's call ends with these bytes. A system call that does not wait.
    ///
    /// # Errors
    /// As [`Request::answer`].
    pub fn answer(self, bytes: &[u8]) -> Result<(), Error> {
        let endpoint = self.endpoint.endpoint();
        match endpoint.reply_to(self.message.from(), self.token, bytes, Timeout::NoWait) {
            // An open request is answered at once: its sender has left, whatever became of it.
            Err(Error::Again | Error::Interrupted) => Err(Error::NotWaiting),
            outcome => outcome,
        }
    }

    /// Hands the request on; see [`Request::relay`]. A system call that does not wait.
    ///
    /// # Errors
    /// As [`Request::relay`]; the request comes back then.
    pub fn relay(self, to: impl Into<Address>, bytes: &[u8]) -> Result<(), NotRelayed<Self>> {
        let (from, endpoint) = (self.message.from(), self.endpoint.endpoint());
        match endpoint.relay(to.into(), from, self.token, bytes) {
            Ok(()) => Ok(()),
            Err(error) => Err(NotRelayed {
                error,
                request: Box::new(self),
            }),
        }
    }

    /// Answers nothing now; see [`Request::leave_open`].
    pub fn leave_open(self) {}
}

#[cfg(test)]
#[path = "asynchronous_test.rs"]
mod tests;

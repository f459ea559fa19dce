//! Requests: what their servers may do with them.

use crate::address::{Address, OneOrAny};
use crate::endpoint::{Accept, Endpoint};
use crate::error::Error;
use crate::message::{Message, Received};
use crate::timeout::Timeout;

/// A message whose sender waits for an answer (it called sendrec).
///
/// It can be answered or handed on once, which the type sees to:
///
/// ```compile_fail,E0382
/// # fn twice(request: dvs::Request<'_>) -> Result<(), dvs::Error> {
/// request.answer(b"once")?;
/// request.answer(b"twice")
/// # }
/// ```
///
/// and only while its endpoint is bound:
///
/// ```compile_fail,E0505
/// # fn late(endpoint: dvs::Endpoint) -> Result<(), dvs::Error> {
/// let request = endpoint.receive_request(dvs::Any, dvs::Timeout::Forever)?;
/// drop(endpoint);
/// request.answer(b"too late")
/// # }
/// ```
///
/// One that is dropped stays open: its sender waits on, until its own time is over or the endpoint
/// here is given up ([`Error::SourceDied`] there). [`Endpoint::reply`] can still answer it.
/// [`Self::leave_open`] does the same, for all to see.
#[derive(Debug)]
#[must_use = "the sender waits until the request is answered"]
pub struct Request<'e> {
    endpoint: &'e Endpoint,
    message: Message,
    token: u64,
}

impl<'e> Request<'e> {
    pub(crate) fn of(endpoint: &'e Endpoint, message: Message, token: u64) -> Self {
        Self {
            endpoint,
            message,
            token,
        }
    }

    /// What was asked, and by whom.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Answers; the sender's call ends with these bytes. Does not wait for the sender.
    ///
    /// # Errors
    /// If the sender has left in the meantime, one of which [`Error::is_client_gone`] is true.
    /// [`Error::MessageSize`], and [`Error::BadCall`] by privileges: the request is open then, and
    /// [`Endpoint::reply`] can answer it.
    pub fn answer(self, bytes: &[u8]) -> Result<(), Error> {
        let (to, token) = (self.message.from(), self.token);
        loop {
            match self.endpoint.reply_to(to, token, bytes, Timeout::Forever) {
                // An open request is answered at once: only asking what became of a sender that
                // has left takes time.
                Err(Error::Interrupted) => {}
                outcome => return outcome,
            }
        }
    }

    /// Answers, and then receives as [`Endpoint::receive`]: both in one system call.
    ///
    /// # Errors
    /// An answer that fails, as in [`Self::answer`], ends the call and nothing is received. All
    /// errors of a receive are possible too; the request is answered then, or its sender has left.
    /// `timeout` is for both.
    pub fn reply_and_receive(
        self,
        bytes: &[u8],
        from: impl Into<OneOrAny>,
        timeout: Timeout,
    ) -> Result<Received<'e>, Error> {
        let from = from.into();
        self.endpoint
            .reply_receive(self.answered(bytes), from, Accept::All, timeout)
    }

    /// As [`Self::reply_and_receive`], but the next one is a request as well.
    ///
    /// # Errors
    /// As [`Self::reply_and_receive`].
    pub fn reply_and_receive_request(
        self,
        bytes: &[u8],
        from: impl Into<OneOrAny>,
        timeout: Timeout,
    ) -> Result<Self, Error> {
        let endpoint = self.endpoint;
        let from = from.into();
        let next = endpoint.reply_receive(self.answered(bytes), from, Accept::Requests, timeout)?;
        only_request(next)
    }

    fn answered<'b>(&self, bytes: &'b [u8]) -> Answer<'b> {
        Answer {
            to: self.message.from(),
            token: self.token,
            bytes,
        }
    }

    /// Hands the request on, with these bytes as what is asked: the endpoint `to` answers the
    /// sender, which sees the answer come from there. Waits for nobody.
    ///
    /// The sender learns what becomes of it from then on: that nobody has the number `to`, too.
    ///
    /// # Errors
    /// [`Error::NotWaiting`] if the sender has left, [`Error::BadDestination`] if `to` is the
    /// sender, [`Error::StaleEndpoint`], [`Error::MessageSize`], [`Error::BadCall`] and
    /// [`Error::TrapDenied`] by privileges. The request is not handed on then, and comes back to
    /// be answered here.
    pub fn relay(self, to: impl Into<Address>, bytes: &[u8]) -> Result<(), NotRelayed<Self>> {
        let from = self.message.from();
        match self.endpoint.relay(to.into(), from, self.token, bytes) {
            Ok(()) => Ok(()),
            Err(error) => Err(NotRelayed {
                error,
                request: Box::new(self),
            }),
        }
    }

    /// Answers nothing now: the sender waits on until [`Endpoint::reply`] answers it, its own time
    /// is over, or the endpoint here is given up.
    pub fn leave_open(self) {}

    /// What [`Endpoint::reply_to`] needs, for those who keep the endpoint by another way.
    #[cfg(feature = "tokio")]
    pub(crate) fn into_parts(self) -> (Message, u64) {
        (self.message, self.token)
    }
}

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer<'b> {
    pub to: Address,
    pub token: u64,
    pub bytes: &'b [u8],
}

/// A relay that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot hand the request on: {error}")]
#[must_use = "the sender of the request still waits"]
pub struct NotRelayed<R> {
    /// Why.
    pub error: Error,
    /// The request, to be answered here.
    pub request: Box<R>,
}

/// The request of a receive that takes nothing else.
pub(crate) fn only_request(received: Received<'_>) -> Result<Request<'_>, Error> {
    match received {
        Received::Request(request) => Ok(request),
        // The driver gave what was not asked for.
        Received::Message(_) | Received::Notification(_) => Err(Error::Invalid),
    }
}

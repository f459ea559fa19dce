//! What guests are ordered to do with their endpoints, for whoever looks after the host.
//!
//! Whether an endpoint may leave is decided in its VM's memory: the node can only ask, and pass the
//! answer on.

use crate::directory::Token;
use crate::frame::{Frame, kind, order};
use crate::switch::hands::token;
use crate::switch::{Action, Drop, PortId, Switch};
use thiserror::Error;

/// Orders that a guest may have under way at once.
const ORDERS_MAX: usize = 4;

/// What becomes of an endpoint's move (docs/endpoint-migration.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// It begins; done when the endpoint is quiescent. The id of the order is the token, unless a move has
    /// begun before.
    Start,
    /// The endpoint goes to whoever adopts it.
    Commit {
        /// In which VM; 0: in any.
        vm: u32,
    },
    /// The endpoint stays.
    Rollback,
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The DC of the endpoint.
    pub dcid: u32,
    /// Its number.
    pub number: i32,
    /// What to do.
    pub kind: OrderKind,
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OrderError {
    /// Nobody here has it.
    #[error(
        "no VM of this node has bound endpoint {number} of DC {dcid}; ask the node of the VM that has"
    )]
    NotBound {
        /// The DC.
        dcid: u32,
        /// The number.
        number: i32,
    },
    /// The guest cannot be asked.
    #[error("VM {0} does not drive its device now; try again when it does")]
    NotRunning(u32),
    /// Too many.
    #[error("VM {0} has not done what was asked for its endpoints before; try again later")]
    Busy(u32),
    /// The VM has rebooted, or left.
    #[error("VM {0} has ended its life here, or moved, before it answered")]
    Gone(u32),
    /// The guest refuses.
    #[error("{}", guest_says(*.0))]
    Refused(i32),
}

/// What an order has come to. Of a start there is the token by which the endpoint is adopted.
pub type Ordered = Result<Option<Token>, OrderError>;

impl Switch {
    /// Orders something. `id` is not 0, and a number that nobody guesses, since a move that begins has it as
    /// its token. [`Action::Ordered`] follows, unless [`Switch::forget_order`] comes before.
    pub fn order(&mut self, id: u64, order: Order) {
        match self.may_order(&order) {
            Ok(port) => {
                self.orders.insert(id, port);
                self.say_order(port, id, order.number, code(order.kind));
            }
            Err(error) => self.actions.push_back(Action::Ordered(id, Err(error))),
        }
    }

    /// An order has taken too long: its guest gives it up, and says so.
    pub fn cancel_order(&mut self, id: u64) {
        if let Some(port) = self.orders.get(&id) {
            self.say_order(*port, id, 0, order::CANCEL);
        }
    }

    /// Whatever becomes of an order, nobody waits for it any more.
    pub fn forget_order(&mut self, id: u64) {
        self.orders.remove(&id);
    }

    fn may_order(&self, order: &Order) -> Result<PortId, OrderError> {
        let Order { dcid, number, .. } = *order;
        let has_it = |id: &PortId| {
            let port = self.port(*id);
            port.is_some_and(|it| it.attributes.dcid == dcid && it.bound.contains_key(&number))
        };
        let port = self.ports().find(has_it);
        let (id, port) = port
            .and_then(|id| Some((id, self.port(id)?)))
            .ok_or(OrderError::NotBound { dcid, number })?;
        let vm = port.attributes.vm;
        if !port.running {
            return Err(OrderError::NotRunning(vm));
        }
        let under_way = self.orders.values().filter(|it| **it == id).count();
        if under_way >= ORDERS_MAX {
            return Err(OrderError::Busy(vm));
        }
        Ok(id)
    }

    fn say_order(&mut self, port: PortId, id: u64, number: i32, what: u64) {
        let Some(mut frame) = self.frame_to(port, kind::ORDER) else {
            return;
        };
        frame.op = id.into();
        frame.dst_ep = number.into();
        frame.arg = what.into();
        self.actions.push_back(Action::Say(port, frame));
    }

    /// A guest says what an order has come to.
    pub(super) fn ordered(&mut self, from: PortId, header: &Frame) -> Result<(), Drop> {
        let id = header.op.get();
        if self.orders.get(&id) != Some(&from) || header.len.get() != 0 {
            return Err(Drop::NotAsked);
        }
        self.orders.remove(&id);
        let ordered = match header.result.get() {
            0 => Ok(token(header.arg.get())),
            error => Err(OrderError::Refused(error)),
        };
        self.actions.push_back(Action::Ordered(id, ordered));
        Ok(())
    }

    /// An order that found no room before, if anybody still waits for it.
    pub(super) fn order_again(&mut self, id: PortId, order: Frame) {
        if self.orders.contains_key(&order.op.get()) {
            self.actions.push_back(Action::Say(id, order));
        }
    }

    /// Who lives no more carries nothing out.
    pub(super) fn leaves_orders(&mut self, id: PortId) {
        let Some(vm) = self.attributes(id).map(|it| it.vm) else {
            return;
        };
        let actions = &mut self.actions;
        self.orders.retain(|order, port| {
            if *port == id {
                actions.push_back(Action::Ordered(*order, Err(OrderError::Gone(vm))));
            }
            *port != id
        });
    }
}

fn code(kind: OrderKind) -> u64 {
    match kind {
        OrderKind::Start => order::START,
        OrderKind::Commit { vm } => order::COMMIT | u64::from(vm) << u32::BITS,
        OrderKind::Rollback => order::ROLLBACK,
    }
}

/// The guest's result for a person.
fn guest_says(result: i32) -> String {
    use crate::frame::result as r;
    let why = match result {
        r::EMIGRATE => "it does not move: begin with start",
        r::EPROCSTS => "it is not ready for that, or has moved",
        r::ETIMEDOUT => "it took too long, and everything is as before",
        r::EDSTDIED => "who was to adopt it has gone, and it is ready to move as before",
        r::ENOTBIND => "it is not bound any more",
        r::ERMTPROC => "another VM has it now",
        r::ENOTCONN => "the VM has begun a new life meanwhile",
        r::EALLOCMEM => "the VM that adopts it has no room for it",
        _ => return format!("the guest refuses, with error {result} of the DVS"),
    };
    format!("the guest says of the endpoint: {why} (error {result} of the DVS)")
}

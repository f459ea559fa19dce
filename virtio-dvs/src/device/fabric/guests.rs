//! What guests are asked and ordered, for whoever looks after the node.

use super::*;
use crate::switch::Order;

impl Fabric {
    /// Asks all guests for the states of their endpoints; `done` gets by VM what they tell, once all
    /// have, or at [`Fabric::end_survey`]. A survey that is under way ends.
    pub fn survey(&mut self, done: Done<BTreeMap<u32, Told>>) {
        self.end_survey();
        self.waiting_survey = Some(done);
        self.switch.survey();
        self.settle();
    }

    /// Waits no longer for those who have not told.
    pub fn end_survey(&mut self) {
        if let Some(done) = self.waiting_survey.take() {
            done(self.switch.end_survey());
        }
    }

    /// Has a guest do something with an endpoint; `done` gets what it says. See [`Switch::order`].
    pub fn order(&mut self, id: u64, order: Order, done: Done<Ordered>) {
        self.waiting_orders.insert(id, done);
        self.switch.order(id, order);
        self.settle();
    }

    /// An order has taken too long: its guest gives it up, and says so.
    pub fn cancel_order(&mut self, id: u64) {
        self.switch.cancel_order(id);
        self.settle();
    }

    /// Nobody waits for an order any more.
    pub fn forget_order(&mut self, id: u64) {
        self.waiting_orders.remove(&id);
        self.switch.forget_order(id);
    }

    pub(super) fn ordered(&mut self, id: u64, ordered: Ordered) {
        if let Some(done) = self.waiting_orders.remove(&id) {
            done(ordered);
        }
    }
}

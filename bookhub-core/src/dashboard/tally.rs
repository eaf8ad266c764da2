//! Which orders count: what a walk over all of them finds, and what the feed tells meanwhile and from
//! then on, each exactly once. Must not know how either is read.

use std::collections::HashSet;

use super::figures::Figures;
use crate::{
    change::ChangeKind,
    order::{Order, OrderId, OrderStatus},
};

/// What was sold, by the orders that were placed and not cancelled.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) figures: Figures,
    /// Orders of which it is known that they were cancelled, before the feed has told it.
    early: HashSet<OrderId>,
    /// What settles who has counted an order, while a walk is under way.
    seam: Option<Seam>,
}

/// What was met since the walk began. The walk finds each order as it is at some moment of it; the feed
/// tells each change behind a position that it had before the walk.
#[derive(Debug, Default)]
struct Seam {
    counted: HashSet<OrderId>,
    /// The walk may find them as they were before.
    cancelled: HashSet<OrderId>,
}

impl Tally {
    /// Nothing yet, at the beginning of a walk.
    pub(super) fn begin() -> Self {
        Self { seam: Some(Seam::default()), ..Self::default() }
    }

    /// The walk has found an order.
    pub(super) fn found(&mut self, order: &Order) {
        if order.status != OrderStatus::Cancelled {
            self.place(order);
        }
    }

    /// The walk has come to its end, and all that had happened by then has been heard.
    pub(super) fn end(&mut self) {
        self.seam = None;
    }

    /// The feed tells of a change.
    pub(super) fn heard(&mut self, kind: &ChangeKind) {
        match kind {
            // A feed may show an order as it has become: its cancellation is told later.
            ChangeKind::OrderPlaced(order) if order.status == OrderStatus::Cancelled => {
                self.early.insert(order.id);
                if self.seam.is_some() {
                    self.take_out(order);
                }
            }
            ChangeKind::OrderPlaced(order) => self.place(order),
            ChangeKind::OrderUpdated(order) if order.status == OrderStatus::Cancelled => {
                self.cancel(order);
            }
            _ => {}
        }
    }

    fn place(&mut self, order: &Order) {
        let is_new = self.seam.as_mut().is_none_or(|seam| {
            !seam.cancelled.contains(&order.id) && seam.counted.insert(order.id)
        });
        if is_new {
            self.figures.add(order);
        }
    }

    fn cancel(&mut self, order: &Order) {
        if !self.early.remove(&order.id) {
            self.take_out(order);
        }
    }

    fn take_out(&mut self, order: &Order) {
        let has_counted = self.seam.as_mut().is_none_or(|seam| {
            seam.cancelled.insert(order.id);
            seam.counted.remove(&order.id)
        });
        if has_counted {
            self.figures.remove(order);
        }
    }
}

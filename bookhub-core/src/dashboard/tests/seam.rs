//! However a walk over the orders and the feed meet: each order counts once, and a cancelled one not at
//! all.

use std::{collections::VecDeque, sync::Arc};

use proptest::{collection::vec, prelude::*};

use super::samples::{Sample, now, order, sample};
use crate::{
    ChangeKind, Order, OrderStatus,
    dashboard::{figures::Figures, tally::Tally},
};

/// Something that happens. Orders are named by a number that wraps around.
#[derive(Clone, Debug)]
enum Operation {
    /// Somebody places an order; whether a walk that is under way comes by it.
    Place(Sample, bool),
    Move(usize, OrderStatus),
    /// The walk comes to one of the orders that it has not seen, and takes it along as it is then.
    Walk(usize),
    /// The first order that was taken along is counted.
    Find,
    /// The next change is told.
    Hear,
}

fn operation() -> impl Strategy<Value = Operation> {
    let moves = [OrderStatus::Cancelled, OrderStatus::Cancelled, OrderStatus::Shipped];
    prop_oneof![
        3 => (sample(), any::<bool>()).prop_map(|(order, met)| Operation::Place(order, met)),
        2 => (any::<usize>(), proptest::sample::select(moves.to_vec()))
            .prop_map(|(order, to)| Operation::Move(order, to)),
        2 => any::<usize>().prop_map(Operation::Walk),
        2 => Just(Operation::Find),
        3 => Just(Operation::Hear),
    ]
}

/// A change as it is noted; the order itself is looked up when it is told, or was kept with it.
struct Noted {
    place: usize,
    is_new: bool,
    order: Order,
}

/// A shop, and somebody who counts its orders.
struct Shop {
    /// Whether the feed shows orders as they were, and not as they have become.
    exact: bool,
    orders: Vec<Order>,
    feed: VecDeque<Noted>,
    tally: Tally,
    left: Vec<usize>,
    taken: VecDeque<Order>,
}

impl Shop {
    fn begin_walk(&mut self) {
        self.feed.clear();
        self.taken.clear();
        self.left = (0..self.orders.len()).collect();
        self.tally = Tally::begin();
    }

    /// The walk comes to its end; what has happened by then is heard.
    fn end_walk(&mut self) {
        while !self.left.is_empty() {
            self.walk(0);
        }
        while !self.taken.is_empty() {
            self.find();
        }
        while !self.feed.is_empty() {
            self.hear();
        }
        self.tally.end();
    }

    fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Place(sample, is_met) => {
                let (order, place) = (order(&sample), self.orders.len());
                self.feed.push_back(Noted { place, is_new: true, order: order.clone() });
                self.left.extend(Some(place).filter(|_| is_met));
                self.orders.push(order);
            }
            Operation::Move(number, to) => {
                let Some(place) = number.checked_rem(self.orders.len()) else { return };
                if self.orders[place].status.may_become(to) {
                    let order = self.orders[place].moved_to(to, now());
                    self.orders[place] = order.clone();
                    self.feed.push_back(Noted { place, is_new: false, order });
                }
            }
            Operation::Walk(number) => self.walk(number),
            Operation::Find => self.find(),
            Operation::Hear => self.hear(),
        }
    }

    fn walk(&mut self, number: usize) {
        if let Some(place) = number.checked_rem(self.left.len()) {
            let found = self.left.swap_remove(place);
            self.taken.push_back(self.orders[found].clone());
        }
    }

    fn find(&mut self) {
        if let Some(order) = self.taken.pop_front() {
            self.tally.found(&order);
        }
    }

    fn hear(&mut self) {
        let Some(Noted { place, is_new, order }) = self.feed.pop_front() else { return };
        let order = Arc::new(if self.exact { order } else { self.orders[place].clone() });
        let kind = match is_new {
            true => ChangeKind::OrderPlaced(order),
            false => ChangeKind::OrderUpdated(order),
        };
        self.tally.heard(&kind);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn each_order_counts_once_and_a_cancelled_one_not_at_all(
        exact: bool,
        before in vec(operation(), 0..20),
        during in vec(operation(), 0..60),
        after in vec(operation(), 0..30),
    ) {
        let mut shop = Shop {
            exact,
            orders: Vec::new(),
            feed: VecDeque::new(),
            tally: Tally::default(),
            left: Vec::new(),
            taken: VecDeque::new(),
        };
        before.into_iter().for_each(|operation| shop.run(operation));
        shop.begin_walk();
        during.into_iter().for_each(|operation| shop.run(operation));
        shop.end_walk();
        // Nobody walks any more.
        let walks = |operation: &Operation| matches!(operation, Operation::Walk(_) | Operation::Find);
        after.into_iter().filter(|operation| !walks(operation)).for_each(|operation| shop.run(operation));
        while !shop.feed.is_empty() {
            shop.hear();
        }
        let mut expected = Figures::default();
        let lasting = shop.orders.iter().filter(|order| order.status != OrderStatus::Cancelled);
        lasting.for_each(|order| expected.add(order));
        let [shown, expected] = [shop.tally.figures, expected].map(|all| all.period(now(), 365));
        prop_assert!(shown == expected, "{:?}, and not {:?}", shown.all, expected.all);
    }
}

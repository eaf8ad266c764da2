//! What was sold: all in all, and on each of the last 366 days, by book and by genre. Must not know
//! where orders come from.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, hash_map::Entry},
};

use jiff::{Timestamp, civil::Date, tz::Offset};

use super::{
    names::{Name, Names},
    stats::Sales,
};
use crate::{
    book::Genre,
    money::Amount,
    order::{Order, OrderItem},
    search::GenreKey,
};

/// For how many days what was sold is kept, the present one included.
const KEPT: i64 = 366;

/// How many books are said to have sold best.
const TOP: usize = 10;

/// What was sold.
#[derive(Debug, Default)]
pub(super) struct Figures {
    all: Sum,
    days: BTreeMap<i64, Day>,
    /// Before it no day is kept; it never goes back.
    oldest: i64,
    names: Names,
}

/// So many orders, and what was in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    orders: u64,
    sold: Sold,
}

/// So many copies, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sold {
    pub(super) copies: u64,
    paise: u64,
}

#[derive(Debug, Default)]
struct Day {
    sum: Sum,
    books: HashMap<u32, Sold>,
    genres: BTreeMap<GenreKey, (Genre, Sold)>,
}

/// What was sold in a period.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) from: Date,
    pub(super) to: Date,
    pub(super) all: Sales,
    pub(super) period: Sales,
    /// Each day of it, the oldest first.
    pub(super) days: Vec<(Date, Sales)>,
    /// The books that sold best.
    pub(super) top: Vec<(Name, Sold)>,
    pub(super) genres: BTreeMap<GenreKey, (Genre, Sold)>,
}

impl Figures {
    /// Counts an order.
    pub(super) fn add(&mut self, order: &Order) {
        let sum = Sum::of(order);
        self.all.add(sum);
        let number = day_of(order.created_at);
        if number < self.oldest {
            return;
        }
        let day = self.days.entry(number).or_default();
        day.sum.add(sum);
        for item in &order.items {
            let slot = self.names.slot(item);
            match day.books.entry(slot) {
                Entry::Occupied(mut sold) => sold.get_mut().add(Sold::of(item)),
                Entry::Vacant(place) => {
                    place.insert(Sold::of(item));
                    self.names.keep(slot);
                }
            }
            if let Some(genre) = &item.genre {
                let shelf = day.genres.entry(GenreKey::of(genre));
                shelf.or_insert_with(|| (genre.clone(), Sold::default())).1.add(Sold::of(item));
            }
        }
    }

    /// Counts an order no more.
    pub(super) fn remove(&mut self, order: &Order) {
        let sum = Sum::of(order);
        self.all.remove(sum);
        let number = day_of(order.created_at);
        let Some(day) = self.days.get_mut(&number) else { return };
        day.sum.remove(sum);
        for item in &order.items {
            if let Some(slot) = self.names.find(item.book)
                && let Entry::Occupied(mut sold) = day.books.entry(slot)
            {
                sold.get_mut().remove(Sold::of(item));
                if *sold.get() == Sold::default() {
                    sold.remove();
                    self.names.drop(slot);
                }
            }
            if let Some(key) = item.genre.as_ref().map(GenreKey::of)
                && let Some((_, sold)) = day.genres.get_mut(&key)
            {
                sold.remove(Sold::of(item));
                if *sold == Sold::default() {
                    day.genres.remove(&key);
                }
            }
        }
        if day.sum == Sum::default() {
            self.days.remove(&number);
        }
    }

    /// Forgets the days that are too old at `now`.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.oldest = self.oldest.max(day_of(now) - (KEPT - 1));
        while let Some(day) = self.days.first_entry().filter(|day| *day.key() < self.oldest) {
            day.remove().books.into_keys().for_each(|slot| self.names.drop(slot));
        }
    }

    /// What was sold on the last `days` days up to `now`.
    pub(super) fn period(&self, now: Timestamp, days: u16) -> Period {
        let today = day_of(now);
        let numbers = today + 1 - i64::from(days)..=today;
        let (mut sum, mut books) = (Sum::default(), vec![Sold::default(); self.names.len()]);
        let mut genres = BTreeMap::<GenreKey, (Genre, Sold)>::new();
        for (_, day) in self.days.range(numbers.clone()) {
            sum.add(day.sum);
            for (slot, sold) in &day.books {
                if let Some(all) = books.get_mut(*slot as usize) {
                    all.add(*sold);
                }
            }
            for (key, (genre, sold)) in &day.genres {
                let shelf = genres.entry(key.clone());
                shelf.or_insert_with(|| (genre.clone(), Sold::default())).1.add(*sold);
            }
        }
        let of_day = |number| self.days.get(&number).map(|day| day.sum).unwrap_or_default();
        Period {
            from: date_of(*numbers.start()),
            to: date_of(today),
            all: self.all.shown(),
            period: sum.shown(),
            days: numbers.map(|number| (date_of(number), of_day(number).shown())).collect(),
            top: self.top(&books),
            genres,
        }
    }

    /// How many books are spoken of.
    #[cfg(test)]
    pub(super) fn books_kept(&self) -> usize {
        self.names.kept()
    }

    /// The best of what was sold of the books in these slots.
    fn top(&self, books: &[Sold]) -> Vec<(Name, Sold)> {
        let sold = (0_u32..).zip(books).filter(|(_, sold)| sold.copies > 0);
        let named = sold.filter_map(|(slot, sold)| Some((self.names.name(slot)?, *sold)));
        let mut best: Vec<_> = named.collect();
        let order = |(name, sold): &(&Name, Sold)| (Reverse(*sold), name.book);
        if best.len() > TOP {
            best.select_nth_unstable_by_key(TOP, order);
            best.truncate(TOP);
        }
        best.sort_unstable_by_key(order);
        best.into_iter().map(|(name, sold)| (name.clone(), sold)).collect()
    }
}

impl Sum {
    fn of(order: &Order) -> Self {
        let copies = order.items.iter().map(|item| u64::from(item.quantity.count())).sum();
        Self { orders: 1, sold: Sold { copies, paise: order.total.paise() } }
    }

    fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.sold.add(other.sold);
    }

    fn remove(&mut self, other: Self) {
        self.orders = self.orders.saturating_sub(other.orders);
        self.sold.remove(other.sold);
    }

    fn shown(self) -> Sales {
        Sales { orders: self.orders, revenue: self.sold.revenue(), copies: self.sold.copies }
    }
}

impl Sold {
    fn of(item: &OrderItem) -> Self {
        Self { copies: item.quantity.count().into(), paise: item.amount().paise() }
    }

    pub(super) fn revenue(self) -> Amount {
        Amount::from_paise(self.paise).unwrap_or(Amount::MAX)
    }

    fn add(&mut self, other: Self) {
        self.copies += other.copies;
        self.paise = self.paise.saturating_add(other.paise);
    }

    fn remove(&mut self, other: Self) {
        self.copies = self.copies.saturating_sub(other.copies);
        self.paise = self.paise.saturating_sub(other.paise);
    }
}

/// The day of a moment, in UTC, as a number.
fn day_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(24 * 60 * 60)
}

fn date_of(day: i64) -> Date {
    let end = if day < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let start = Timestamp::from_second(day.saturating_mul(24 * 60 * 60)).unwrap_or(end);
    Offset::UTC.to_datetime(start).date()
}

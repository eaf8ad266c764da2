//! Whatever is added and removed while days pass: the figures are those of the orders that are left.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::Offset};
use proptest::{collection::vec, prelude::*};

use super::samples::{Sample, now, order, sample};
use crate::{Amount, BookId, Order, Sales, dashboard::figures::Figures};

#[derive(Clone, Debug)]
enum Operation {
    Add(Sample),
    Remove(usize),
    Pass(i64),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => sample().prop_map(Operation::Add),
        2 => any::<usize>().prop_map(Operation::Remove),
        1 => (0..100_i64).prop_map(Operation::Pass),
    ]
}

fn date(time: Timestamp) -> Date {
    Offset::UTC.to_datetime(time).date()
}

fn amount(orders: &[&Order]) -> Amount {
    orders.iter().map(|order| order.total).sum()
}

fn sales(orders: &[&Order]) -> Sales {
    let items = orders.iter().flat_map(|order| &order.items);
    Sales {
        orders: orders.len() as u64,
        revenue: amount(orders),
        copies: items.map(|item| u64::from(item.quantity.count())).sum(),
    }
}

/// What was sold of each thing that items are about: copies, and paise.
fn sold<'a, T: Ord + 'a>(
    orders: &[&'a Order],
    of: impl Fn(&'a crate::OrderItem) -> Option<T>,
) -> BTreeMap<T, (u64, u64)> {
    let mut all = BTreeMap::new();
    for item in orders.iter().flat_map(|order| &order.items) {
        let Some(thing) = of(item) else { continue };
        let sold: &mut (u64, u64) = all.entry(thing).or_default();
        sold.0 += u64::from(item.quantity.count());
        sold.1 += item.amount().paise();
    }
    all
}

fn check(figures: &Figures, orders: &[Order], now: Timestamp, days: u16) {
    let all: Vec<_> = orders.iter().collect();
    let to = date(now);
    let from = to - SignedDuration::from_hours(24 * i64::from(days - 1));
    let is_in = |order: &&&Order| (from..=to).contains(&date(order.created_at));
    let within: Vec<_> = all.iter().filter(is_in).copied().collect();
    let period = figures.period(now, days);
    assert_eq!((period.from, period.to), (from, to));
    assert_eq!((period.all, period.period), (sales(&all), sales(&within)));
    assert_eq!(period.days.len(), usize::from(days));
    for (number, (day, shown)) in period.days.iter().enumerate() {
        assert_eq!(*day, from + SignedDuration::from_hours(24 * number as i64));
        let on_it: Vec<_> =
            within.iter().filter(|order| date(order.created_at) == *day).copied().collect();
        assert_eq!(*shown, sales(&on_it));
    }
    let mut top: Vec<(BookId, (u64, u64))> =
        sold(&within, |item| Some(item.book)).into_iter().collect();
    top.sort_by_key(|(book, sold)| (Reverse(*sold), *book));
    top.truncate(10);
    let shown = period.top.iter();
    let shown = shown.map(|(name, sold)| (name.book, (sold.copies, sold.revenue().paise())));
    assert_eq!(shown.collect::<Vec<_>>(), top);
    let genres = sold(&within, |item| Some(item.genre.as_ref()?.as_str()));
    let shown = period.genres.values();
    let shown = shown.map(|(genre, sold)| (genre.as_str(), (sold.copies, sold.revenue().paise())));
    assert_eq!(shown.collect::<BTreeMap<_, _>>(), genres);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn figures_are_those_of_the_orders_that_are_left(
        operations in vec(operation(), 1..60),
        days in 1..=365_u16,
    ) {
        let (mut figures, mut orders, mut now) = (Figures::default(), Vec::new(), now());
        figures.forget(now);
        for operation in operations {
            match operation {
                Operation::Add(sample) => {
                    let order = order(&sample);
                    figures.add(&order);
                    orders.push(order);
                }
                Operation::Remove(number) => {
                    if let Some(place) = number.checked_rem(orders.len()) {
                        figures.remove(&orders.swap_remove(place));
                    }
                }
                Operation::Pass(hours) => {
                    now += SignedDuration::from_hours(hours);
                    figures.forget(now);
                }
            }
            check(&figures, &orders, now, days);
        }
        // Nothing is spoken of that no day knows, and nothing at all in the end.
        let kept: BTreeSet<_> = orders.iter().filter(|order| {
            date(order.created_at) > date(now) - SignedDuration::from_hours(24 * 366)
        }).flat_map(|order| &order.items).map(|item| item.book).collect();
        prop_assert_eq!(figures.books_kept(), kept.len());
        orders.iter().for_each(|order| figures.remove(order));
        prop_assert_eq!(figures.books_kept(), 0);
    }
}

//! A walk over the orders and the feed fit together.

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use tokio::time::{Instant, sleep};

use super::{
    concurrent::together,
    orders::{buyer, moved, order},
    samples::{any_book, insert},
};
use crate::{Book, Dashboard, DashboardQuery, OrderStatus, Stock, Store};

const BUYERS: i64 = 4;

/// How many orders each buyer places; the first two of three stay.
const EACH: u64 = 15;

/// How long figures may take to come to the present.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whoever begins to count amid orders that are placed and cancelled counts each that stays, once.
pub async fn a_count_amid_orders_counts_each_once(store: Arc<dyn Store>) {
    let full = Stock::new(1_000).expect("a stock");
    let emma = insert(&*store, Book { stock: full, ..any_book() }).await;
    let buying = together(BUYERS, |_| {
        let (store, emma) = (Arc::clone(&store), emma.id);
        async move {
            for number in 0..EACH {
                // A store that is quick is not done before others have begun.
                sleep(Duration::from_millis(5)).await;
                let new = order(buyer(), &[(emma, 1)]);
                let placed = store.place_order(new).await.expect("placed");
                if number % 3 == 2 {
                    moved(&*store, &placed, OrderStatus::Cancelled).await.expect("cancelled");
                }
            }
        }
    });
    let beginning = async {
        let mut dashboards = Vec::new();
        for _ in 0..20 {
            let dashboard = Dashboard::new(Arc::clone(&store));
            dashboards.push((tokio::spawn(dashboard.clone().follow()), dashboard));
            sleep(Duration::from_millis(10)).await;
        }
        dashboards
    };
    let (_, dashboards) = join(buying, beginning).await;
    let stay = BUYERS.unsigned_abs() * (EACH - EACH / 3);
    for (following, dashboard) in dashboards {
        let begun = Instant::now();
        while count(&dashboard).await != stay && begun.elapsed() < PATIENCE {
            sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(count(&dashboard).await, stay);
        following.abort();
    }
}

async fn count(dashboard: &Dashboard) -> u64 {
    let stats = dashboard.stats(&DashboardQuery::default()).await.expect("figures");
    assert_eq!(stats.totals.sales, stats.period);
    assert_eq!(stats.period.copies, stats.period.orders);
    stats.period.orders
}

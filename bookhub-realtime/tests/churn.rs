//! Clients come and go in all ways, and nothing of them stays: the everyday part of the proof in
//! `benches/storms`, with the same visits.

#[path = "../benches/storms/line.rs"]
mod line;
#[path = "../benches/storms/visit.rs"]
mod visit;
#[path = "../benches/support/wire.rs"]
mod wire;

use std::{net::Ipv4Addr, time::Duration};

use bookhub_realtime::{Hub, HubConfig, Topic};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    task::{JoinSet, yield_now},
    time::timeout,
};
use visit::Visit;

const PATIENCE: Duration = Duration::from_secs(30);

/// How many come at once, and how often each of them comes.
const VISITORS: usize = 25;
const VISITS: usize = 20;

#[tokio::test]
async fn of_five_hundred_who_came_and_went_nothing_stays() {
    let news: Topic = "news".parse().unwrap();
    let hub = Hub::new(HubConfig::new().default_topics([news.clone().into()]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app: axum::Router = axum::Router::new()
        .route_service("/ws", hub.websocket())
        .route_service("/events", hub.event_stream())
        .route_service("/poll", hub.long_poll());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    // The first one starts the writers.
    Visit::Closed.pay(Ipv4Addr::LOCALHOST, port, &mut None).await.unwrap();
    nobody_is_there(&hub).await;
    let writers = std::thread::available_parallelism().map_or(1, usize::from);
    alive(1 + writers).await;

    let mut visitors = JoinSet::new();
    for number in 0..VISITORS {
        let (hub, news) = (hub.clone(), news.clone());
        visitors.spawn(async move {
            let mut past = None;
            for way in Visit::ALL.iter().cycle().skip(number).take(VISITS) {
                hub.publish(&news, "tick", &number).unwrap();
                let visit = timeout(PATIENCE, way.pay(Ipv4Addr::LOCALHOST, port, &mut past));
                let paid = visit.await.unwrap_or_else(|_| panic!("{way:?} hangs"));
                paid.unwrap_or_else(|error| panic!("{way:?}: {error}"));
            }
        });
    }
    while let Some(visitor) = visitors.join_next().await {
        visitor.unwrap();
    }
    nobody_is_there(&hub).await;
    alive(1 + writers).await;

    serving.abort();
    drop(hub);
    alive(0).await;
}

async fn nobody_is_there(hub: &Hub) {
    until(|| hub.connections() == 0, || format!("{:?}", hub.inspect_connections())).await;
    let view = hub.inspect();
    assert!(view.transports.is_empty() && view.topics.is_empty(), "{view:?}");
    assert_eq!((view.behind, view.most_behind), (0, 0));
}

/// Waits until there are so many tasks.
async fn alive(tasks: usize) {
    let now = || Handle::current().metrics().num_alive_tasks();
    until(|| now() == tasks, || format!("{} tasks, not {tasks}", now())).await;
}

async fn until(is_so: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let waiting = async {
        while !is_so() {
            yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "{}", otherwise());
}

//! The ticker: many events, to fast readers and slow ones.

use bookhub_realtime::client::{Client, Event, Notice};
use serde_json::Value;
use tokio::time::timeout;

use crate::{PATIENCE, program::Server};

async fn next_event(client: &mut Client) -> Event {
    loop {
        let notice = timeout(PATIENCE, client.next()).await.expect("something comes");
        match notice.expect("the client goes on") {
            Notice::Event(event) => return event,
            Notice::Connected { .. } => {}
            other => panic!("no event: {other:?}"),
        }
    }
}

fn number(event: &Event) -> u64 {
    let data: Value = event.parse().expect("JSON");
    data["number"].as_u64().expect("a number")
}

#[tokio::test]
async fn every_tick_comes_in_order_and_a_topic_alone_is_a_part_of_them() {
    let mut server = Server::start(env!("CARGO_BIN_EXE_ticker")).await;
    let url = format!("ws://{}/ws", server.address);
    let ink = "stocks.INK".parse().unwrap();
    let mut one = Client::builder(&*url).topics([ink]).connect();
    let first_of_one = next_event(&mut one).await;
    let mut all = Client::builder(&*url).connect();

    let first = number(&next_event(&mut all).await);
    let mut of_ink = Vec::new();
    for expected in first + 1..first + 10_000 {
        let event = next_event(&mut all).await;
        assert_eq!(number(&event), expected);
        if event.topic == "stocks.INK" {
            of_ink.push(event.id);
        }
    }
    assert!(of_ink.len() > 100, "a stock in eight: {}", of_ink.len());
    let mut event = first_of_one;
    while event.id < of_ink[0] {
        event = next_event(&mut one).await;
    }
    for expected in of_ink {
        assert_eq!((event.topic.as_str(), &event.id), ("stocks.INK", &expected));
        event = next_event(&mut one).await;
    }

    // A line from when both were there.
    let mut line = server.program.line().await;
    while !line.contains(" 2 clients, ") {
        line = server.program.line().await;
    }
    let published: u64 = line.split(' ').next().unwrap().parse().unwrap();
    assert!(published > 0, "{line}");
}

//! Every order in which sessions, a writer and publishers can meet, up to three preemptions.
//!
//! All of it is the hub's own code, on locks of loom's and over a socket of the model. A client
//! checks that it hears each event once and in order, or a resync that says otherwise. It waits
//! without a limit, and no time passes, so that a wake-up that is lost is a deadlock: loom reports it.

mod client;
mod wire;

use loom::model::Builder;
use tokio::runtime;

use self::client::Client;
use crate::{Hub, HubConfig, Position, sync};

/// How often tasks are held up that could go on. Most faults show with two, not all.
const PREEMPTIONS: usize = 3;

#[test]
fn an_event_that_is_published_while_a_client_joins() {
    check(|| {
        let hub = hub(16);
        let client = Client::new(&hub);
        loom::explore();
        publish(&hub);
        client.hears_all(&hub);
        end(hub, &[client]);
    });
}

#[test]
fn two_who_publish_at_once() {
    check(|| {
        let hub = hub(16);
        let client = Client::new(&hub);
        client.hears_all(&hub);
        loom::explore();
        let other = hub.clone();
        sync::spawn(async move { publish(&other) });
        publish(&hub);
        client.hears_up_to(Position::new(2));
        end(hub, &[client]);
    });
}

#[test]
fn a_client_that_joins_a_writer_in_the_middle_of_a_round() {
    check(|| {
        let hub = hub(16);
        let first = Client::new(&hub);
        first.hears_all(&hub);
        publish(&hub);
        let second = Client::new(&hub);
        loom::explore();
        publish(&hub);
        second.hears_all(&hub);
        first.hears_all(&hub);
        end(hub, &[first, second]);
    });
}

#[test]
fn a_round_that_takes_in_what_is_published_meanwhile() {
    check(|| {
        let hub = hub(16);
        let clients = [Client::new(&hub), Client::new(&hub)];
        clients.iter().for_each(|client| client.hears_all(&hub));
        loom::explore();
        publish(&hub);
        publish(&hub);
        clients.iter().for_each(|client| client.hears_all(&hub));
        end(hub, &clients);
    });
}

#[test]
fn a_round_with_two_topics_of_a_client() {
    check(|| {
        let hub = hub(16);
        let client = Client::new(&hub);
        client.hears_all(&hub);
        loom::explore();
        publish(&hub);
        publish_to(&hub, "films");
        client.hears_all(&hub);
        end(hub, &[client]);
    });
}

#[test]
fn a_round_while_the_log_is_trimmed() {
    check(|| {
        let hub = hub(1);
        let clients = [Client::new(&hub), Client::new(&hub)];
        clients.iter().for_each(|client| client.hears_all(&hub));
        publish(&hub);
        loom::explore();
        publish(&hub);
        publish(&hub);
        clients.iter().for_each(|client| client.hears_all(&hub));
        end(hub, &clients);
    });
}

#[test]
fn a_client_that_asks_where_it_is_in_the_middle_of_a_round() {
    check(|| {
        let hub = hub(16);
        let client = Client::new(&hub);
        client.hears_all(&hub);
        loom::explore();
        publish(&hub);
        client.asks();
        client.hears_all(&hub);
        end(hub, &[client]);
    });
}

#[test]
fn a_client_that_comes_back_while_what_it_missed_is_trimmed() {
    check(|| {
        let hub = hub(1);
        publish(&hub);
        let client = Client::back_from(Position::new(0), &hub);
        loom::explore();
        publish(&hub);
        publish(&hub);
        client.hears_all(&hub);
        end(hub, &[client]);
    });
}

#[test]
fn a_client_that_joins_while_the_past_is_declared_lost() {
    check(|| {
        let hub = hub(16);
        let client = Client::new(&hub);
        loom::explore();
        hub.raise_tail(Position::new(2)).unwrap();
        client.hears_all(&hub);
        end(hub, &[client]);
    });
}

#[test]
fn a_client_that_comes_back_before_the_log_is_where_it_was() {
    check(|| {
        let hub = hub(16);
        let client = Client::back_from(Position::new(1), &hub);
        loom::explore();
        publish(&hub);
        client.hears_all(&hub);
        end(hub, &[client]);
    });
}

#[test]
fn a_socket_that_stalls_in_the_middle_of_its_first_frame() {
    stalls(16, 10);
}

#[test]
fn a_socket_that_stalls_in_the_middle_of_its_second_frame() {
    stalls(16, 80);
}

#[test]
fn a_socket_that_stalls_while_what_it_lacks_is_trimmed() {
    stalls(1, 10);
}

/// Two events for a socket with room for so many bytes, and then for all.
fn stalls(history: usize, room: usize) {
    check(move || {
        let hub = hub(history);
        let client = Client::new(&hub);
        client.hears_all(&hub);
        client.has_room_for(room);
        loom::explore();
        publish(&hub);
        publish(&hub);
        client.has_room_for(usize::MAX);
        client.hears_all(&hub);
        end(hub, &[client]);
    });
}

#[test]
fn a_session_takes_over_a_socket_that_has_stalled() {
    check(|| {
        let hub = hub(16);
        let client = Client::new(&hub);
        client.hears_all(&hub);
        client.has_room_for(10);
        loom::explore();
        publish(&hub);
        // Whoever tried first, the session tries once more when it is told.
        client.has_refused(2);
        client.has_room_for(usize::MAX);
        client.hears_all(&hub);
        end(hub, &[client]);
    });
}

#[test]
fn a_writer_that_ends_while_a_client_joins() {
    check(|| {
        let hub = hub(16);
        let client = Client::new(&hub);
        loom::explore();
        sync::end_apart();
        publish(&hub);
        client.hears_all(&hub);
        end(hub, &[client]);
    });
}

#[test]
fn a_writer_that_ends_in_the_middle_of_a_round() {
    check(|| {
        let hub = hub(16);
        let client = Client::new(&hub);
        client.hears_all(&hub);
        loom::explore();
        publish(&hub);
        sync::end_apart();
        publish(&hub);
        client.hears_all(&hub);
        end(hub, &[client]);
    });
}

/// Tries all orders of what comes after [`loom::explore`].
fn check(meeting: impl Fn() + Copy + Send + Sync + 'static) {
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    let _entered = runtime.enter();
    let mut model = Builder::new();
    model.preemption_bound.get_or_insert(PREEMPTIONS);
    model.max_branches = 10_000;
    model.expect_explicit_explore = true;
    // A task, for its stack.
    model.check(move || sync::spawn(async move { meeting() }));
}

/// A hub with one writer that keeps so many events.
fn hub(history: usize) -> Hub {
    let config = HubConfig::new().writers(1).epoch("e".parse().unwrap());
    let topics = ["books", "films"].map(|topic| topic.parse().unwrap());
    Hub::new(config.default_topics(topics).history(history, 1 << 20))
}

fn publish(hub: &Hub) {
    publish_to(hub, "books");
}

fn publish_to(hub: &Hub, topic: &str) {
    hub.publish(&topic.parse().unwrap(), "e", &()).unwrap();
}

/// Publishes once more, so that what came too much before shows. Then all tasks end.
fn end(hub: Hub, clients: &[Client]) {
    loom::stop_exploring();
    publish(&hub);
    for client in clients {
        client.hears_all(&hub);
        client.lost_only_what_is_gone(&hub);
        client.hangs_up();
    }
    drop(hub);
}

//! The hub over real sockets: mounted in axum and in plain hyper, with the crate's own client.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::{extract::Request, http::StatusCode, response::IntoResponse as _};
use bookhub_realtime::{
    AuthError, Authorizer, BoxFuture, Credential, Hub, HubConfig, Identity, ResyncReason, Topic,
    TopicPattern, Transport,
    client::{Client, Event, Notice},
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tower_service::Service as _;

const PATIENCE: Duration = Duration::from_secs(30);

fn topic(name: &str) -> Topic {
    name.parse().expect("a topic's name")
}

fn config() -> HubConfig {
    HubConfig::new().default_topics([topic("news").into()]).secret(b"a secret of tests".as_slice())
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

/// Serves the hub by axum.
async fn axum_server(hub: &Hub) -> SocketAddr {
    let (listener, address) = listen().await;
    let app: axum::Router = axum::Router::new().route_service("/ws", hub.websocket());
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Serves the hub by hyper alone.
async fn hyper_server(hub: &Hub) -> SocketAddr {
    let (listener, address) = listen().await;
    let service = hub.websocket();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(served.with_upgrades());
        }
    });
    address
}

fn client(address: SocketAddr) -> Client {
    Client::builder(format!("ws://{address}/ws")).topics([topic("news").into()]).connect()
}

async fn next(client: &mut Client) -> Notice {
    timeout(PATIENCE, client.next()).await.expect("something comes").expect("it goes on")
}

async fn connected(client: &mut Client) -> bool {
    loop {
        if let Notice::Connected { recovered, .. } = next(client).await {
            return recovered;
        }
    }
}

#[tokio::test]
async fn axum_and_plain_hyper_serve_the_same_hub() {
    let hub = Hub::new(config());
    let mut clients = [client(axum_server(&hub).await), client(hyper_server(&hub).await)];
    for client in &mut clients {
        connected(client).await;
    }
    hub.publish(&topic("news"), "headline", &"It works").unwrap();
    for client in &mut clients {
        let Notice::Event(event) = next(client).await else { panic!("no event") };
        assert_eq!(event.parse::<String>().unwrap(), "It works");
        assert_eq!(Some(&event.id), client.position());
    }
}

/// A way to the server that can be cut.
async fn cuttable(
    server: SocketAddr,
) -> (TcpListener, SocketAddr, impl Fn(TcpStream) -> JoinHandle<()>) {
    let (listener, address) = listen().await;
    let pipe = move |mut inbound: TcpStream| {
        tokio::spawn(async move {
            let mut outbound = TcpStream::connect(server).await.expect("the server listens");
            let _ = copy_bidirectional(&mut inbound, &mut outbound).await;
        })
    };
    (listener, address, pipe)
}

#[tokio::test]
async fn the_client_goes_on_where_it_was_cut() {
    let hub = Hub::new(config());
    let (listener, address, pipe) = cuttable(axum_server(&hub).await).await;
    let mut client = client(address);
    let mut seen = 0;
    for round in 0..5 {
        let way = pipe(listener.accept().await.unwrap().0);
        assert_eq!(connected(&mut client).await, round > 0);
        for _ in 0..50 {
            hub.publish(&topic("news"), "n", &(seen + hub_ahead(&hub, seen))).unwrap();
        }
        for _ in 0..25 {
            let Notice::Event(event) = next(&mut client).await else { panic!("cut too early") };
            assert_eq!(event.parse::<u64>().unwrap(), seen);
            seen += 1;
        }
        way.abort();
        // What was on its way still comes, and then the news that the way is gone.
        loop {
            match next(&mut client).await {
                Notice::Event(event) => {
                    assert_eq!(event.parse::<u64>().unwrap(), seen);
                    seen += 1;
                }
                Notice::Disconnected { .. } => break,
                other => panic!("unexpected: {other:?}"),
            }
        }
    }
    let _way = pipe(listener.accept().await.unwrap().0);
    while seen < 250 {
        if let Notice::Event(event) = next(&mut client).await {
            assert_eq!(event.parse::<u64>().unwrap(), seen);
            seen += 1;
        }
    }
}

/// Takes any word that was not taken before, for a short time.
struct Briefly(std::sync::Mutex<Vec<String>>);

impl Authorizer for Briefly {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        let word = credential.bearer().unwrap_or_default().to_owned();
        let mut known = self.0.lock().expect("no holder panics");
        let taken = known.contains(&word);
        known.push(word);
        let expiry = SystemTime::now() + Duration::from_millis(200);
        Box::pin(std::future::ready(if taken {
            Err(AuthError::new("this was shown before"))
        } else {
            Ok(Identity::user("ali").with_expiry(expiry))
        }))
    }

    fn may_follow(&self, identity: &Identity, _: &TopicPattern) -> bool {
        identity.subject() == Some("ali")
    }
}

#[tokio::test]
async fn the_client_shows_a_new_credential_when_the_last_one_has_ended() {
    let hub = Hub::new(config().authorizer(Briefly(Default::default())));
    let address = axum_server(&hub).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let ask = {
        let asked = Arc::clone(&asked);
        move || {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, std::io::Error>(format!("word {number}")))
        }
    };
    let mut client = Client::builder(format!("ws://{address}/ws")).bearer_with(ask).connect();
    assert!(!connected(&mut client).await);
    for number in 0..30 {
        hub.publish(&topic("news"), "n", &number).unwrap();
        let Notice::Event(event) = next(&mut client).await else { panic!("it was cut") };
        assert_eq!(event.parse::<u64>().unwrap(), number);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert!(asked.load(Ordering::SeqCst) > 2, "one for each time that the last one ended");

    // One that is revoked is no reason to give up.
    assert_eq!(hub.revoke(|_| true), 1);
    assert!(matches!(next(&mut client).await, Notice::Disconnected { .. }));
    assert!(!connected(&mut client).await);

    // One that was shown before is refused, and will be again.
    let mut stubborn = Client::builder(format!("ws://{address}/ws")).bearer("word 0").connect();
    assert!(matches!(next(&mut stubborn).await, Notice::Closed { code: Some(4401), .. }));
}

/// How many events the hub has published beyond those that were seen.
fn hub_ahead(hub: &Hub, seen: u64) -> u64 {
    u64::try_from(hub.head().number()).expect("few events") - seen
}

/// Serves the hub behind something that lets no WebSocket through while it is told so.
async fn obstructed_server(hub: &Hub, obstructed: Arc<AtomicBool>) -> SocketAddr {
    let (listener, address) = listen().await;
    let websocket = hub.websocket();
    let upgrade = move |request: Request| {
        let (mut websocket, obstructed) = (websocket.clone(), obstructed.load(Ordering::SeqCst));
        async move {
            match obstructed {
                true => StatusCode::BAD_GATEWAY.into_response(),
                false => websocket.call(request).await.into_response(),
            }
        }
    };
    let app: axum::Router = axum::Router::new()
        .route("/ws", axum::routing::get(upgrade))
        .route_service("/events", hub.event_stream());
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn the_client_changes_its_transport_without_loss() {
    let hub = Hub::new(config());
    let obstructed = Arc::new(AtomicBool::new(true));
    let server = obstructed_server(&hub, Arc::clone(&obstructed)).await;
    let (listener, address, pipe) = cuttable(server).await;
    let ways = Arc::new(std::sync::Mutex::new(Vec::new()));
    let forwarding = tokio::spawn({
        let ways = Arc::clone(&ways);
        async move {
            while let Ok((inbound, _)) = listener.accept().await {
                ways.lock().unwrap().push(pipe(inbound));
            }
        }
    });
    let mut client = client(address);
    let (mut published, mut seen) = (0, 0);
    for transport in [Transport::EventStream, Transport::WebSocket, Transport::EventStream] {
        obstructed.store(transport == Transport::EventStream, Ordering::SeqCst);
        // Cut where it stands: what was on its way may still come, the rest after the next welcome.
        ways.lock().unwrap().drain(..).for_each(|way| way.abort());
        let recovered = loop {
            match next(&mut client).await {
                Notice::Connected { recovered, .. } => break recovered,
                Notice::Event(event) => expect(&event, &mut seen),
                Notice::Disconnected { .. } => {}
                other => panic!("unexpected: {other:?}"),
            }
        };
        assert_eq!(recovered, published > 0);
        let view = hub.inspect();
        assert!(view.transports.contains_key(&transport), "{view:?}");
        for _ in 0..20 {
            hub.publish(&topic("news"), "n", &published).unwrap();
            published += 1;
        }
        while seen < published - 10 {
            let Notice::Event(event) = next(&mut client).await else { panic!("no event") };
            expect(&event, &mut seen);
        }
    }
    while seen < published {
        let Notice::Event(event) = next(&mut client).await else { panic!("no event") };
        expect(&event, &mut seen);
    }
    forwarding.abort();
}

/// Each number once and in order.
fn expect(event: &Event, seen: &mut u64) {
    assert_eq!(event.parse::<u64>().expect("a number"), *seen);
    *seen += 1;
}

#[tokio::test]
async fn a_hub_that_began_anew_makes_the_client_fetch_anew() {
    let first = Hub::new(config());
    let (listener, address, pipe) = cuttable(axum_server(&first).await).await;
    let mut client = client(address);
    let way = pipe(listener.accept().await.unwrap().0);
    connected(&mut client).await;
    way.abort();
    let second = Hub::new(config());
    let (_, _, pipe) = cuttable(axum_server(&second).await).await;
    let _way = pipe(listener.accept().await.unwrap().0);
    assert!(!connected(&mut client).await);
    let Notice::Resync { reason, position } = next(&mut client).await else { panic!("no resync") };
    assert_eq!(reason, ResyncReason::EpochChanged);
    assert_eq!(client.position(), Some(&position));
    second.publish(&topic("news"), "n", &1).unwrap();
    assert!(matches!(next(&mut client).await, Notice::Event(_)));
}

#[tokio::test]
async fn a_program_that_stored_its_position_goes_on_from_there() {
    let hub = Hub::new(config());
    let address = axum_server(&hub).await;
    let stored = hub.id(hub.publish(&topic("news"), "n", &1).unwrap());
    hub.publish(&topic("news"), "n", &2).unwrap();
    let mut client = Client::builder(format!("ws://{address}/ws"))
        .topics([topic("news").into()])
        .resume_from(stored)
        .connect();
    assert!(connected(&mut client).await);
    let Notice::Event(event) = next(&mut client).await else { panic!("no event") };
    assert_eq!(event.data.get(), "2");
}

#[tokio::test]
async fn a_client_gives_up_only_where_trying_again_cannot_help() {
    let hub = Hub::new(config());
    let address = axum_server(&hub).await;
    let mut lost = Client::builder(format!("ws://{address}/elsewhere")).connect();
    assert!(matches!(next(&mut lost).await, Notice::Closed { code: Some(404), .. }));
    assert!(lost.next().await.is_none());

    let nobody = listen().await.1;
    let mut patient = Client::builder(format!("ws://{nobody}/ws")).connect();
    for _ in 0..3 {
        let Notice::Disconnected { retry_in, .. } = next(&mut patient).await else {
            panic!("gave up")
        };
        assert!(retry_in <= Duration::from_secs(2));
    }
}

#[tokio::test]
async fn draining_spreads_the_return_of_the_clients() {
    let hub = Hub::new(config());
    let address = axum_server(&hub).await;
    let mut clients: Vec<_> = (0..20).map(|_| client(address)).collect();
    for client in &mut clients {
        connected(client).await;
    }
    hub.drain(Duration::from_secs(30)).await;
    let mut waits = HashMap::new();
    for client in &mut clients {
        let Notice::Disconnected { retry_in, .. } = next(client).await else { panic!("no end") };
        *waits.entry(retry_in.as_secs() / 10).or_insert(0) += 1;
    }
    assert!(waits.len() > 1, "spread over the window: {waits:?}");
}

#[tokio::test]
async fn hundreds_of_clients_over_few_writers_see_the_same() {
    let hub = Hub::new(config().writers(2));
    let address = axum_server(&hub).await;
    let mut clients: Vec<_> = (0..300).map(|_| client(address)).collect();
    for client in &mut clients {
        connected(client).await;
    }
    for number in 0..100 {
        hub.publish(&topic("news"), "n", &number).unwrap();
        hub.publish(&topic("other"), "n", &number).unwrap();
    }
    for client in &mut clients {
        for number in 0..100 {
            let Notice::Event(event) = next(client).await else { panic!("no event") };
            assert_eq!(event.parse::<u64>().unwrap(), number);
        }
    }
}

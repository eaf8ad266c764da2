//! How do I put live events into a program on plain hyper?
//!
//! `cargo run -p bookhub-examples --bin embed-hyper` ticks once a second. To see it work:
//! `websocat ws://localhost:3000/ws`, `curl -N localhost:3000/events`, or `curl localhost:3000/poll`,
//! which says from where to go on: `curl 'localhost:3000/poll?after=<position>'`.

use std::{convert::Infallible, env, io::Write as _, time::Duration};

use bookhub_realtime::{Hub, HubConfig, ResponseBody, Topic};
use http_body_util::{Either, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    select, signal, time,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let clock: Topic = "clock".parse()?;
    let hub = Hub::new(HubConfig::new().default_topics([clock.clone().into()]));
    tokio::spawn(tick(hub.clone(), clock));

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    loop {
        select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(serve(hub.clone(), stream))),
                // Such as too many open files: others may go away.
                Err(_) => time::sleep(Duration::from_millis(100)).await,
            },
            _ = signal::ctrl_c() => break,
        }
    }
    // Tells the clients when to come back, and waits until they are gone.
    hub.drain(Duration::from_secs(5)).await;
    Ok(())
}

async fn tick(hub: Hub, clock: Topic) {
    let mut every_second = time::interval(Duration::from_secs(1));
    for second in 0_u64.. {
        every_second.tick().await;
        let _ = hub.publish(&clock, "tick", &second);
    }
}

/// Serves one connection.
async fn serve(hub: Hub, stream: TcpStream) {
    // Events are small and shall not wait for each other.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service_fn(|request| answer(&hub, request)));
    // With upgrades, since a WebSocket outlives the request that it began as.
    let _ = connection.with_upgrades().await;
}

/// The body of an answer: the hub's, or one of this program's own.
type Body = Either<ResponseBody, Full<Bytes>>;

/// One service for each transport, by path.
async fn answer(hub: &Hub, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let service = match request.uri().path() {
        "/ws" => hub.websocket(),
        "/events" => hub.event_stream(),
        "/poll" => hub.long_poll(),
        _ => {
            let mut nothing = Response::new(Either::Right("There is nothing here\n".into()));
            *nothing.status_mut() = StatusCode::NOT_FOUND;
            return Ok(nothing);
        }
    };
    let response = TowerToHyperService::new(service).call(request).await?;
    Ok(response.map(Either::Left))
}

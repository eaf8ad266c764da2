//! How do I give each user topics that nobody else may follow?
//!
//! `cargo run -p bookhub-examples --bin private-topics`. There are three users, each with a key; what
//! happens to the orders of `ada` is in the topic `orders.ada`. To see it work:
//!
//! ```sh
//! curl -N 'localhost:3000/events?topics=orders.ada,orders.bob' -H 'Authorization: Bearer key-of-ada' &
//! curl -N 'localhost:3000/events?topics=orders.*' -H 'Authorization: Bearer key-of-the-admin' &
//! curl localhost:3000/orders -H 'Authorization: Bearer key-of-bob' -d 'a book about lighthouses'
//! ```
//!
//! Each is told what it may not follow: the `subscribed` of `ada` says `"denied":["orders.bob"]`. Only
//! the administrator sees the order of `bob`.

use std::{env, io::Write as _};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing::post,
    serve::ListenerExt as _,
};
use bookhub_realtime::{
    AuthError, Authorizer, BoxFuture, Credential, Hub, HubConfig, Identity, Topic, TopicPattern,
};
use tokio::net::TcpListener;

/// The keys and whose they are. A real program has them in its database.
const USERS: [(&str, &str); 3] =
    [("key-of-ada", "ada"), ("key-of-bob", "bob"), ("key-of-the-admin", "admin")];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let hub = Hub::new(HubConfig::new().authorizer(Owners));
    let app = Router::new()
        .route_service("/ws", hub.websocket())
        .route_service("/events", hub.event_stream())
        .route_service("/poll", hub.long_poll())
        .route("/orders", post(order))
        .with_state(hub);

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), app).await?;
    Ok(())
}

/// Lets users follow their own orders and administrators those of all.
struct Owners;

impl Authorizer for Owners {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        // In a header, or from a page, which says it in its hello.
        let identity = match credential.bearer().map(owner) {
            Some(Some("admin")) => Ok(Identity::user("admin").with_role("admin")),
            Some(Some(user)) => Ok(Identity::user(user)),
            Some(None) => Err(AuthError::new("This key is nobody's")),
            // Who shows no key comes in, and may follow nothing.
            None => Ok(Identity::guest()),
        };
        Box::pin(async { identity })
    }

    /// A pattern is asked for as it is: `orders.*` belongs to nobody whose name is not `*`.
    fn may_follow(&self, identity: &Identity, topic: &TopicPattern) -> bool {
        let owner = topic.as_str().strip_prefix("orders.");
        owner.is_some() && (identity.has_role("admin") || owner == identity.subject())
    }
}

fn owner(key: &str) -> Option<&'static str> {
    USERS.iter().find(|(known, _)| *known == key).map(|(_, user)| *user)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Places an order of the user whose key it is.
async fn order(
    State(hub): State<Hub>,
    headers: HeaderMap,
    wish: String,
) -> Result<String, (StatusCode, String)> {
    let user = bearer(&headers)
        .and_then(owner)
        .ok_or_else(|| (StatusCode::UNAUTHORIZED, "Whose order is it?\n".to_owned()))?;
    let refuse = |error: &dyn std::fmt::Display| (StatusCode::BAD_REQUEST, format!("{error}\n"));
    let topic: Topic = format!("orders.{user}").parse().map_err(|error| refuse(&error))?;
    let position = hub.publish(&topic, "placed", &wish).map_err(|error| refuse(&error))?;
    Ok(format!("{}\n", hub.id(position)))
}

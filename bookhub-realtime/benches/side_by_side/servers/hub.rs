//! The hub of this crate, with all that it offers: history, reconnect tokens, and a program that
//! is asked who may follow what.

use axum::serve::ListenerExt as _;
use bookhub_realtime::{
    AuthError, Authorizer, BoxFuture, Credential, Hub, HubConfig, Identity, Topic, TopicPattern,
};
use serde_json::value::RawValue;

use super::Ports;
use crate::{
    control::{Publish, obey},
    event::{Event, TOPICS},
};

pub(super) async fn serve(ports: Ports, many_topics: bool) -> anyhow::Result<()> {
    let names = if many_topics { 0..TOPICS } else { 0..1 };
    let topics: Vec<Topic> =
        names.map(|number| format!("ticks.{number}").parse()).collect::<Result<_, _>>()?;
    let config = HubConfig::new()
        .secret(b"only the servers of this benchmark know".as_slice())
        .authorizer(Members)
        .default_topics([topics[0].clone().into()]);
    let hub = Hub::new(config);
    let app = axum::Router::new().route_service("/ws", hub.websocket());
    let listener = ports.clients.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    obey(ports.commands, Publisher { hub, topics }).await
}

struct Members;

impl Authorizer for Members {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        let identity =
            credential.bearer().map(Identity::user).ok_or_else(|| AuthError::new("no credential"));
        Box::pin(std::future::ready(identity))
    }

    fn may_follow(&self, identity: &Identity, topic: &TopicPattern) -> bool {
        identity.subject().is_some() && topic.as_str().starts_with("ticks.")
    }
}

struct Publisher {
    hub: Hub,
    topics: Vec<Topic>,
}

impl Publish for Publisher {
    async fn publish(&mut self, event: Event) -> anyhow::Result<()> {
        let topics = self.topics.len() as u64;
        let topic = &self.topics[usize::try_from(event.number % topics)?];
        let id = self.hub.id(self.hub.head()).to_string();
        let envelope = r#"{"id":"","event":"tick","topic":"","data":}"#.len();
        let data = event.to_json(envelope + id.len() + topic.as_str().len());
        self.hub.publish(topic, "tick", &RawValue::from_string(data)?)?;
        Ok(())
    }
}

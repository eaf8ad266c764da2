#![doc = include_str!("../README.md")]

mod auth;
mod config;
mod error;
mod fanout;
mod frame;
mod hub;
mod lane;
mod log;
mod position;
mod protocol;
mod resume;
mod service;
mod session;
mod token;
mod topic;
mod transport;

#[cfg(feature = "client")]
pub mod client;

pub use auth::{AuthError, Authorizer, Credential, Identity, Public};
pub use config::HubConfig;
pub use error::PublishError;
pub use futures_util::future::BoxFuture;
pub use hub::{Hub, HubView};
pub use position::{Epoch, EventId, ParsePositionError, Position};
pub use protocol::{CloseCode, ResyncReason, SUBPROTOCOL};
pub use service::WebSocketService;
pub use topic::{ParseTopicError, Topic, TopicPattern};

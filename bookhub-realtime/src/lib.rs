//! [guide]: crate::guide
//! [guarantees]: crate::guide::guarantees
//! [protocol]: crate::guide::protocol
//! [operation]: crate::guide::operation
//! [servers]: crate::guide::servers
//!
#![doc = include_str!("../README.md")]

mod auth;
mod config;
mod error;
mod event;
mod fanout;
mod frame;
mod framing;
mod hub;
mod index;
mod lane;
mod limits;
mod log;
mod metrics;
mod position;
mod protocol;
mod resume;
mod service;
mod session;
mod sync;
mod token;
mod topic;
mod transport;

pub mod guide;
pub mod journal;

#[cfg(feature = "client")]
pub mod client;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;

pub use auth::{AuthError, Authorizer, Credential, Identity, Public};
pub use config::HubConfig;
pub use error::PublishError;
pub use futures_util::future::BoxFuture;
pub use hub::{ConnectionView, Hub, HubView};
pub use position::{Epoch, EventId, ParsePositionError, Position};
pub use protocol::{CloseCode, ResyncReason, SUBPROTOCOL};
pub use service::{HubService, Transport};
pub use topic::{ParseTopicError, Topic, TopicPattern};
pub use transport::http::ResponseBody;

//! The transports: how clients come in and what their bytes mean. One session logic above, one thin
//! file for each.

pub(crate) mod http;
pub(crate) mod pipe;
pub(crate) mod poll;
pub(crate) mod sse;
pub(crate) mod websocket;

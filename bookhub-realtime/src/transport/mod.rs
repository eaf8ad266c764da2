//! How the protocol travels: one file a transport, each as thin as its wire format allows.

pub(crate) mod websocket;

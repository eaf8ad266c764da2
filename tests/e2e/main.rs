//! Black-box tests: the real binaries, real sockets, nothing of their inside.

#[path = "../api/mod.rs"]
mod api;
mod api_in_memory;
mod catalogue;
mod cli;
mod edge;
mod lifecycle;
mod live;
mod resume;
mod security;
mod tidy;

//! Black-box tests: the real binaries, real sockets, nothing of their inside.

mod bad_input;
mod catalogue;
mod cli;
mod lifecycle;
mod live;
mod resume;
mod tidy;

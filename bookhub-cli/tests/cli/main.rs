//! Tests of the binary: what it prints, how it ends, what it sends.

#[cfg(test)]
mod books;
#[cfg(test)]
mod database;
#[cfg(test)]
mod login;
#[cfg(test)]
mod offline;
#[cfg(test)]
mod seed;
#[cfg(test)]
mod support;
#[cfg(test)]
mod watch;

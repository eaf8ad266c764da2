//! The names of the environment that this program reads, all of them. `NO_COLOR`, `CLICOLOR` and
//! `CLICOLOR_FORCE` are read by `anstream`. Must not know what the values are for.

use std::{env, ffi::OsString};

/// Which server, where `--server` does not say.
pub(crate) const SERVER: &str = "BOOKHUB_SERVER";
/// The connection string of a database to work on straight, and a file that has it.
pub(crate) const MONGODB_URI: &str = "MONGODB_URI";
pub(crate) const MONGODB_URI_FILE: &str = "MONGODB_URI_FILE";
/// A token that goes before the stored ones.
pub(crate) const TOKEN: &str = "BOOKHUB_TOKEN";
/// Where the credentials are kept, instead of the platform's place.
pub(crate) const CONFIG_DIR: &str = "BOOKHUB_CONFIG_DIR";

/// Who somebody is on this machine, by the first of these that says so.
pub(crate) const MACHINE_USER: [&str; 3] = ["LOGNAME", "USER", "USERNAME"];

/// A variable that is set to something.
pub(crate) fn value(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

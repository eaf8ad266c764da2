//! Which shop a command is about: what the flags and the environment say. Must not know what is
//! done there.

use std::fs;

use secrecy::SecretString;

use crate::{
    args::Global,
    environment::{self, MONGODB_URI, MONGODB_URI_FILE, SERVER},
    error::{Error, Result},
    server::ServerUrl,
};

/// Where the books are.
#[derive(Debug)]
pub(crate) enum Target {
    Server(ServerUrl),
    Database(DatabaseUri),
}

/// The connection string of a database.
#[derive(Debug)]
pub(crate) struct DatabaseUri {
    pub(crate) secret: SecretString,
    /// Which variable has it, if none of the flags.
    pub(crate) variable: Option<&'static str>,
}

impl Target {
    /// What the flags say; else what the environment says, which must not say both; else the server
    /// on this machine.
    pub(crate) fn of(global: &Global) -> Result<Self> {
        match (&global.server, &global.mongodb_uri) {
            (Some(_), Some(_)) => {
                Err(Error::usage("--server and --mongodb-uri exclude each other: give one of them"))
            }
            (Some(server), None) => Ok(Self::Server(server.clone())),
            (None, Some(uri)) => {
                Ok(Self::Database(DatabaseUri { secret: uri.clone(), variable: None }))
            }
            (None, None) => Self::of_environment(),
        }
    }

    fn of_environment() -> Result<Self> {
        match (database_of_environment()?, environment::value(SERVER)) {
            (Some(uri), Some(_)) => {
                let variable = uri.variable.unwrap_or(MONGODB_URI);
                Err(Error::usage(format!(
                    "{SERVER} and {variable} are both set: say which with --server URL or \
                     --mongodb-uri URI, or unset one of them"
                )))
            }
            (Some(uri), None) => Ok(Self::Database(uri)),
            (None, _) => server_of_environment().map(Self::Server),
        }
    }
}

/// The server for a command that needs one. `MONGODB_URI` may be set for the server that runs beside
/// it: that is no question here.
pub(crate) fn server(global: &Global, command: &str) -> Result<ServerUrl> {
    match (&global.server, &global.mongodb_uri) {
        (_, Some(_)) => Err(Error::usage(format!(
            "`bookhub {command}` needs a server and cannot do with a database alone: give --server \
             URL in place of --mongodb-uri"
        ))),
        (Some(server), None) => Ok(server.clone()),
        (None, None) => server_of_environment(),
    }
}

fn server_of_environment() -> Result<ServerUrl> {
    let text = text_of(SERVER)?.unwrap_or_else(|| ServerUrl::DEFAULT.to_owned());
    text.parse().map_err(|problem| Error::usage(format!("{SERVER} cannot be used: {problem}")))
}

/// The file goes before the variable, as it does for the server.
fn database_of_environment() -> Result<Option<DatabaseUri>> {
    let named = |variable: &'static str| {
        move |text: String| DatabaseUri { secret: text.into(), variable: Some(variable) }
    };
    let Some(path) = environment::value(MONGODB_URI_FILE) else {
        return Ok(text_of(MONGODB_URI)?.map(named(MONGODB_URI)));
    };
    match fs::read_to_string(&path) {
        Ok(text) => {
            let text = text.trim_end_matches(['\r', '\n']).to_owned();
            Ok(Some(named(MONGODB_URI_FILE)(text)))
        }
        Err(error) => Err(Error::usage(format!(
            "cannot read {}, which {MONGODB_URI_FILE} names: {error}",
            path.display()
        ))),
    }
}

fn text_of(variable: &str) -> Result<Option<String>> {
    let value = environment::value(variable).map(std::ffi::OsString::into_string).transpose();
    value.map_err(|_| Error::usage(format!("{variable} is not UTF-8")))
}

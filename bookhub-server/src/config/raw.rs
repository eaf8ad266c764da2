//! The settings as they are written, before they are checked.

use std::{collections::HashMap, net::IpAddr, num::NonZeroU32};

use config::{File, FileFormat};
use secrecy::SecretString;
use serde::Deserialize;

use super::{Args, ConfigError};

/// The settings that the environment may have, under these names in capitals.
const NAMES: &[&str] = &[
    "mongodb_patience",
    "port",
    "host",
    "client_url",
    "bookhub_env",
    "node_env",
    "railway_public_domain",
    "realtime_enabled",
    "rate_limit_enabled",
    "rate_limit_per_minute",
    "trusted_proxies",
    "max_connections",
    "allow_memory",
    "sample_catalogue",
    "admin_username",
    "log",
    "log_json",
];

/// Those that must not be seen, each of which may also stand in a file named by `<NAME>_FILE`.
const SECRETS: &[&str] =
    &["jwt_secret", "jwt_secret_previous", "admin_password", "mongodb_uri", "metrics_token"];

/// What was written, from all sources together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) mongodb_uri: Option<SecretString>,
    pub(super) mongodb_patience: Option<u64>,
    pub(super) port: Option<u16>,
    pub(super) host: Option<IpAddr>,
    pub(super) client_url: Option<String>,
    pub(super) bookhub_env: Option<String>,
    pub(super) node_env: Option<String>,
    pub(super) railway_public_domain: Option<String>,
    pub(super) realtime_enabled: Option<bool>,
    pub(super) rate_limit_enabled: Option<bool>,
    pub(super) rate_limit_per_minute: Option<NonZeroU32>,
    pub(super) trusted_proxies: Option<String>,
    pub(super) max_connections: Option<usize>,
    pub(super) metrics_token: Option<SecretString>,
    pub(super) allow_memory: Option<bool>,
    pub(super) sample_catalogue: Option<bool>,
    pub(super) admin_username: Option<String>,
    pub(super) log: Option<String>,
    pub(super) log_json: Option<bool>,
    pub(super) jwt_secret: Option<SecretString>,
    pub(super) jwt_secret_previous: Option<SecretString>,
    pub(super) admin_password: Option<SecretString>,
    /// Whether any variable says that this is Railway.
    #[serde(skip)]
    pub(super) railway: bool,
}

impl Raw {
    pub(super) fn load(
        args: &Args,
        environment: &HashMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let readable = |error: config::ConfigError| ConfigError::new(sentence(&error));
        let mut builder = config::Config::builder();
        if let Some(path) = &args.config {
            let text = std::fs::read_to_string(path).map_err(|error| {
                ConfigError::new(format!(
                    "Cannot read the settings in {}: {error}.",
                    path.display()
                ))
            })?;
            builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
        }
        for name in NAMES.iter().chain(SECRETS) {
            let value = environment.get(&name.to_uppercase()).filter(|value| !value.is_empty());
            builder = builder.set_override_option(*name, value.cloned()).map_err(readable)?;
        }
        for name in SECRETS {
            let value = secret_in_file(name, environment)?;
            builder = builder.set_override_option(*name, value).map_err(readable)?;
        }
        let flags = [
            ("host", args.host.map(|host| host.to_string())),
            ("port", args.port.map(|port| port.to_string())),
            ("allow_memory", args.allow_memory.then(|| "true".to_owned())),
            ("sample_catalogue", args.sample_catalogue.map(|sample| sample.to_string())),
            ("log", args.log.clone()),
        ];
        for (name, value) in flags {
            builder = builder.set_override_option(name, value).map_err(readable)?;
        }
        let mut raw: Self =
            builder.build().and_then(config::Config::try_deserialize).map_err(readable)?;
        raw.railway = environment.keys().any(|name| name.starts_with("RAILWAY_"));
        Ok(raw)
    }
}

/// What stands in the file that `<NAME>_FILE` names, without the end of the line.
fn secret_in_file(
    name: &str,
    environment: &HashMap<String, String>,
) -> Result<Option<String>, ConfigError> {
    let variable = format!("{}_FILE", name.to_uppercase());
    let Some(path) = environment.get(&variable).filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(error) => {
            Err(ConfigError::new(format!("Cannot read {path}, which {variable} names: {error}.")))
        }
    }
}

/// What is wrong, and with which setting.
fn sentence(error: &config::ConfigError) -> String {
    let text = error.to_string();
    format!("The settings cannot be used: {}.", text.trim_end_matches('.'))
}

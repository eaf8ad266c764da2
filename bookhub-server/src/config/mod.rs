//! The settings of the server and where they come from: flags, environment, file, defaults, in
//! this order. The only place that knows the names of environment variables, and the one that
//! refuses settings that are not safe in production.

mod args;
mod edge;
mod raw;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};

use self::raw::Raw;
pub use self::{args::Args, edge::EdgeConfig};

/// The shortest `JWT_SECRET` that production accepts, in bytes.
const SECRET_BYTES: usize = 32;

/// The password of the development admin; refused in production.
const DEVELOPMENT_PASSWORD: &str = "admin123";

/// The settings are not usable. The sentence says which one, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// Where the server runs, and so how careful it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On somebody's desk: works with nothing set.
    Development,
    /// For customers: safe or not at all.
    Production,
}

impl Environment {
    /// The name, as `BOOKHUB_ENV` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

/// The first administrator.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// The name to log in with.
    pub username: String,
    /// The password, for a new account only.
    pub password: SecretString,
    /// Whether it is the development default, to be shown at the start.
    pub is_default: bool,
}

/// The settings of the server, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the server runs.
    pub environment: Environment,
    /// Where it listens.
    pub address: SocketAddr,
    /// The origins of the pages that may use it from elsewhere.
    pub client_origins: Vec<String>,
    /// Where the internet sees the server itself, if that is known.
    pub public_origin: Option<String>,
    /// The connection string of the database; `None` to keep everything in memory.
    pub mongodb_uri: Option<SecretString>,
    /// For how long the database is tried at the start.
    pub mongodb_patience: Duration,
    /// The secret from which all keys derive; `None` for one that is made up and kept in the store.
    pub jwt_secret: Option<SecretString>,
    /// The secret before that one: logins from its time go on.
    pub jwt_secret_previous: Option<SecretString>,
    /// The first administrator, if one is to be made.
    pub admin: Option<AdminConfig>,
    /// Whether a store without books begins with the sample catalogue.
    pub sample_catalogue: bool,
    /// Whether changes are broadcast.
    pub realtime: bool,
    /// Who may come, how many, and how often.
    pub edge: EdgeConfig,
    /// What is logged, as `tracing` filters have it.
    pub log: String,
    /// Whether log lines are JSON.
    pub log_json: bool,
}

impl Config {
    /// The settings from these flags and this environment, and from the file that they name.
    ///
    /// # Errors
    /// If something cannot be read or is not safe; the sentence says what to do.
    pub fn load(args: &Args, environment: &HashMap<String, String>) -> Result<Self, ConfigError> {
        let raw = Raw::load(args, environment)?;
        let environment = raw.environment()?;
        let production = environment == Environment::Production;
        let in_memory = raw.mongodb_uri.is_none();
        if production && in_memory && !raw.allow_memory.unwrap_or(false) {
            return Err(ConfigError::new(
                "In production the data must outlive the process: set MONGODB_URI, or pass \
                 --allow-memory (or ALLOW_MEMORY=true) to run a shop that forgets everything at \
                 its end.",
            ));
        }
        let default_host = if production { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let host = raw.host.unwrap_or(IpAddr::V4(default_host));
        Ok(Self {
            environment,
            address: SocketAddr::new(host, raw.port.unwrap_or(5000)),
            client_origins: raw.origins()?,
            public_origin: raw.public_origin(),
            mongodb_uri: raw.mongodb_uri.clone(),
            mongodb_patience: Duration::from_secs(raw.mongodb_patience.unwrap_or(30)),
            jwt_secret: raw.secret(production)?,
            jwt_secret_previous: raw.jwt_secret_previous.clone(),
            admin: raw.admin(production, host)?,
            sample_catalogue: raw.sample_catalogue.unwrap_or(in_memory),
            realtime: raw.realtime_enabled.unwrap_or(true),
            edge: raw.edge()?,
            log: raw.log.clone().unwrap_or_else(|| "info".to_owned()),
            log_json: raw.log_json.unwrap_or(production),
        })
    }
}

impl Raw {
    fn environment(&self) -> Result<Environment, ConfigError> {
        match self.bookhub_env.as_deref() {
            Some("production") => Ok(Environment::Production),
            Some("development" | "test") => Ok(Environment::Development),
            Some(other) => Err(ConfigError::new(format!(
                "BOOKHUB_ENV is {other:?}: set it to development or production."
            ))),
            // Other programs' values of NODE_ENV are theirs: only these two say something to us.
            None => match self.node_env.as_deref() {
                Some("production") => Ok(Environment::Production),
                Some("development" | "test") => Ok(Environment::Development),
                _ if self.railway => Ok(Environment::Production),
                _ => Ok(Environment::Development),
            },
        }
    }

    fn origins(&self) -> Result<Vec<String>, ConfigError> {
        let listed = self.client_url.as_deref().unwrap_or_default();
        let mut origins = Vec::new();
        for entry in listed.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let origin = url::Url::parse(entry).ok().map(|url| url.origin());
            match origin.filter(url::Origin::is_tuple) {
                Some(origin) => origins.push(origin.ascii_serialization()),
                None => {
                    return Err(ConfigError::new(format!(
                        "CLIENT_URL has {entry:?}: give addresses such as https://shop.example, \
                         separated by commas."
                    )));
                }
            }
        }
        origins.extend(self.public_origin());
        Ok(origins)
    }

    fn public_origin(&self) -> Option<String> {
        self.railway_public_domain.as_ref().map(|domain| format!("https://{domain}"))
    }

    fn secret(&self, production: bool) -> Result<Option<SecretString>, ConfigError> {
        let Some(secret) = &self.jwt_secret else {
            return if production {
                Err(ConfigError::new(
                    "JWT_SECRET is not set: in production it must be, to 32 bytes or more that \
                     nobody can guess. Make one with: openssl rand -base64 48",
                ))
            } else {
                Ok(None)
            };
        };
        let text = secret.expose_secret();
        let mut distinct: Vec<u8> = text.bytes().collect();
        distinct.sort_unstable();
        distinct.dedup();
        if production && (text.len() < SECRET_BYTES || distinct.len() < 10) {
            return Err(ConfigError::new(
                "JWT_SECRET is weak: give it 32 bytes or more that nobody can guess. Make one \
                 with: openssl rand -base64 48",
            ));
        }
        Ok(Some(secret.clone()))
    }

    fn admin(&self, production: bool, host: IpAddr) -> Result<Option<AdminConfig>, ConfigError> {
        let username = self.admin_username.clone().unwrap_or_else(|| "admin".to_owned());
        match &self.admin_password {
            Some(password) if production && password.expose_secret() == DEVELOPMENT_PASSWORD => {
                Err(ConfigError::new(
                    "ADMIN_PASSWORD is the one of the development admin, which everybody knows: \
                     choose another.",
                ))
            }
            Some(password) => {
                Ok(Some(AdminConfig { username, password: password.clone(), is_default: false }))
            }
            None if production => Ok(None),
            None if !host.is_loopback() => Err(ConfigError::new(format!(
                "At {host} others can reach the shop, and everybody knows the password of the \
                 development admin: set ADMIN_PASSWORD, or leave HOST at 127.0.0.1."
            ))),
            None => Ok(Some(AdminConfig {
                username,
                password: DEVELOPMENT_PASSWORD.into(),
                is_default: true,
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn load(flags: &[&str], environment: &[(&str, &str)]) -> Result<Config, String> {
        let args = Args::parse_from([&["bookhub-server"], flags].concat());
        let environment =
            environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Config::load(&args, &environment).map_err(|error| error.to_string())
    }

    const GOOD: &str = "3e0f8d1c6b5a49e7a0d2c4b6f8e1a3c5";

    #[test]
    fn with_nothing_set_it_runs_for_development_on_loopback() {
        let config = load(&[], &[]).unwrap();
        assert_eq!(config.address.to_string(), "127.0.0.1:5000");
        assert!(config.sample_catalogue && config.realtime && !config.log_json);
        assert!(config.admin.unwrap().is_default);
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), "port = 1\nlog = \"warn\"\nhost = \"127.0.0.9\"").unwrap();
        let path = file.path().to_str().unwrap();
        let environment = [("PORT", "2"), ("LOG", "debug"), ("HOME", "/nowhere")];
        let config = load(&["--config", path, "--port", "3"], &environment).unwrap();
        assert_eq!(config.address.to_string(), "127.0.0.9:3");
        assert_eq!(config.log, "debug");
    }

    #[test]
    fn production_refuses_what_is_not_safe_and_says_what_to_do() {
        let production = ("BOOKHUB_ENV", "production");
        let refusal = |more: &[(&str, &str)]| {
            load(&["--allow-memory"], &[&[production], more].concat()).unwrap_err()
        };
        assert!(load(&[], &[production]).unwrap_err().contains("--allow-memory"));
        assert!(refusal(&[]).contains("JWT_SECRET is not set"));
        assert!(refusal(&[("JWT_SECRET", "short")]).contains("JWT_SECRET is weak"));
        assert!(refusal(&[("JWT_SECRET", &"a".repeat(64))]).contains("JWT_SECRET is weak"));
        let known = [("JWT_SECRET", GOOD), ("ADMIN_PASSWORD", "admin123")];
        assert!(refusal(&known).contains("ADMIN_PASSWORD"));
        let safe = load(&["--allow-memory"], &[production, ("JWT_SECRET", GOOD)]).unwrap();
        assert_eq!(safe.address.to_string(), "0.0.0.0:5000");
        assert!(safe.admin.is_none());
    }

    #[test]
    fn a_database_makes_production_safe_and_begins_empty() {
        let uri = ("MONGODB_URI", "mongodb://shop:s3cret@db.example/shop");
        let production = [("BOOKHUB_ENV", "production"), ("JWT_SECRET", GOOD), uri];
        let config = load(&[], &production).unwrap();
        assert!(!config.sample_catalogue);
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn the_known_password_is_not_offered_to_the_network() {
        let refusal = load(&["--host", "0.0.0.0"], &[]).unwrap_err();
        assert!(refusal.contains("ADMIN_PASSWORD"), "{refusal}");
        assert!(load(&["--host", "0.0.0.0"], &[("ADMIN_PASSWORD", "of our own")]).is_ok());
        assert!(load(&[], &[("NODE_ENV", "staging")]).is_ok());
    }

    #[test]
    fn any_variable_of_railway_means_production() {
        let on_railway = [("RAILWAY_SERVICE_ID", "x")];
        assert!(load(&[], &on_railway).unwrap_err().contains("In production"));
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{GOOD}\n")).unwrap();
        let path = file.path().to_str().unwrap();
        let config = load(&[], &[("JWT_SECRET_FILE", path)]).unwrap();
        assert_eq!(config.jwt_secret.unwrap().expose_secret(), GOOD);
        let missing = load(&[], &[("JWT_SECRET_FILE", "/no/such/file")]).unwrap_err();
        assert!(missing.contains("JWT_SECRET_FILE"), "{missing}");
    }

    #[test]
    fn bad_values_are_refused_by_name() {
        for (name, value) in
            [("PORT", "many"), ("PORT", "70000"), ("REALTIME_ENABLED", "perhaps"), ("HOST", "here")]
        {
            let refusal = load(&[], &[(name, value)]).unwrap_err();
            assert!(refusal.contains(&name.to_lowercase()), "{name}: {refusal}");
        }
        assert!(load(&[], &[("CLIENT_URL", "shop")]).unwrap_err().contains("CLIENT_URL"));
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), "prot = 1").unwrap();
        let unknown = load(&["--config", file.path().to_str().unwrap()], &[]).unwrap_err();
        assert!(unknown.contains("prot"), "{unknown}");
        assert!(load(&["--config", "/no/such.toml"], &[]).unwrap_err().contains("/no/such.toml"));
    }
}

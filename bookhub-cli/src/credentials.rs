//! Who somebody is on which server: a file of tokens that only its owner can read, and the
//! environment, which goes before it. Must not know how a token is got or used.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    environment,
    error::{Error, Result},
    server::ServerUrl,
};

/// Where the tokens are kept.
#[derive(Debug)]
pub(crate) struct Credentials {
    file: PathBuf,
}

/// A token to show to a server.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) secret: SecretString,
    /// Whether it comes from the environment.
    pub(crate) from_env: bool,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    servers: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    username: String,
    token: String,
}

impl Credentials {
    /// Finds the place; nothing need be there yet.
    pub(crate) fn locate() -> Result<Self> {
        let dir = match environment::value(environment::CONFIG_DIR) {
            Some(dir) => PathBuf::from(dir),
            None => etcetera::choose_base_strategy()
                .map_err(|error| Error::local("find the place of your settings", error))?
                .config_dir()
                .join("bookhub"),
        };
        Ok(Self { file: dir.join("credentials.json") })
    }

    /// The token for a server: that of the environment, else the stored one.
    pub(crate) fn token(&self, server: &ServerUrl) -> Result<Option<Token>> {
        match token_of_environment()? {
            Some(token) => Ok(Some(token)),
            None => self.stored(server),
        }
    }

    /// The token that `bookhub login` has stored.
    pub(crate) fn stored(&self, server: &ServerUrl) -> Result<Option<Token>> {
        let mut kept = self.read()?;
        let entry = kept.servers.remove(&server.to_string());
        Ok(entry.map(|entry| Token { secret: entry.token.into(), from_env: false }))
    }

    /// Stores a token, in place of an older one for this server.
    pub(crate) fn store(
        &self,
        server: &ServerUrl,
        username: &str,
        token: &SecretString,
    ) -> Result<()> {
        let mut kept = self.read()?;
        let token = token.expose_secret().to_owned();
        kept.servers.insert(server.to_string(), Entry { username: username.to_owned(), token });
        self.write(&kept)
    }

    /// Forgets the token for a server, if there is one.
    pub(crate) fn forget(&self, server: &ServerUrl) -> Result<()> {
        let mut kept = self.read()?;
        match kept.servers.remove(&server.to_string()) {
            Some(_) => self.write(&kept),
            None => Ok(()),
        }
    }

    fn read(&self) -> Result<Kept> {
        let failed = |reason: &dyn std::fmt::Display| {
            let what = format!("read your logins in {}", self.file.display());
            Error::local(what, format!("{reason}; delete the file and log in again"))
        };
        match fs::read(&self.file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(failed(&error)),
        }
    }

    fn write(&self, kept: &Kept) -> Result<()> {
        replace(&self.file, kept).map_err(|error| {
            Error::local(format!("keep your login in {}", self.file.display()), error)
        })
    }
}

/// Writes a file that is there as a whole or not at all, and that only its owner can read: so is
/// every temporary file from its first moment.
fn replace(file: &Path, kept: &Kept) -> io::Result<()> {
    let dir = file.parent().unwrap_or_else(|| Path::new("."));
    create_private(dir)?;
    let mut new = tempfile::NamedTempFile::new_in(dir)?;
    serde_json::to_writer_pretty(&mut new, kept)?;
    new.write_all(b"\n")?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn token_of_environment() -> Result<Option<Token>> {
    let Some(value) = environment::value(environment::TOKEN) else {
        return Ok(None);
    };
    match value.to_str().map(str::trim) {
        Some(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Some(Token { secret: token.into(), from_env: true }))
        }
        _ => Err(Error::usage(format!("{} holds no token", environment::TOKEN))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_its_own_token_in_a_file_of_its_owners() {
        let dir = tempfile::tempdir().unwrap();
        let credentials = Credentials { file: dir.path().join("new/credentials.json") };
        let [one, two]: [ServerUrl; 2] =
            ["http://one", "http://two"].map(|url| url.parse().unwrap());
        let stored = |server| {
            let token = credentials.stored(server).unwrap();
            token.map(|token| token.secret.expose_secret().to_owned())
        };
        assert_eq!(stored(&one), None);
        credentials.store(&one, "alice", &"a".into()).unwrap();
        credentials.store(&two, "bob", &"b".into()).unwrap();
        credentials.store(&one, "carol", &"c".into()).unwrap();
        assert_eq!(stored(&one).as_deref(), Some("c"));
        credentials.forget(&one).unwrap();
        credentials.forget(&one).unwrap();
        assert_eq!(stored(&one), None);
        assert_eq!(stored(&two).as_deref(), Some("b"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&credentials.file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

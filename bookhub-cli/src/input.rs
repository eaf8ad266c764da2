//! Everything that is read from people and files: questions, passwords, standard input. A question
//! is asked on a terminal only. Must not know what the answers are for.

use std::{
    fs,
    io::{self, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use crate::{
    error::{Error, Result},
    interrupt::Interrupt,
    printer::Printer,
};

/// A file, or standard input for `-`.
#[derive(Debug, Clone)]
pub(crate) struct Source(PathBuf);

impl Source {
    fn is_stdin(&self) -> bool {
        self.0 == Path::new("-")
    }

    /// Its name for people.
    pub(crate) fn name(&self) -> String {
        if self.is_stdin() { "standard input".to_owned() } else { self.0.display().to_string() }
    }

    /// All of its bytes.
    pub(crate) async fn read(&self, interrupt: &Interrupt) -> Result<Vec<u8>> {
        let source = self.clone();
        let read = blocking(move || {
            let mut bytes = Vec::new();
            if source.is_stdin() {
                io::stdin().lock().read_to_end(&mut bytes)?;
            } else {
                bytes = fs::read(&source.0)?;
            }
            Ok(bytes)
        });
        let bytes = interrupt.or(async { Ok(read.await) }).await?;
        bytes.map_err(|error| Error::usage(format!("cannot read {}: {error}", self.name())))
    }
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// Whether there is somebody to ask.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The answer to a question, one line.
pub(crate) async fn ask(
    question: &str,
    printer: &Printer,
    interrupt: &Interrupt,
) -> Result<String> {
    printer.prompt(question);
    let read = blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = interrupt.or(async { Ok(read.await) }).await?.map_err(|error| unanswered(&error))?;
    Ok(line.trim().to_owned())
}

/// A password, which does not show while it is typed. Ctrl-C comes as a key here, and the terminal
/// has to be put right again: so it is waited for.
pub(crate) async fn ask_password(question: &'static str) -> Result<SecretString> {
    let read = blocking(move || rpassword::prompt_password(question)).await;
    read.map(SecretString::from).map_err(|error| unanswered(&error))
}

/// The first line of standard input, as a password.
pub(crate) async fn password_from_stdin(interrupt: &Interrupt) -> Result<SecretString> {
    let bytes = Source::from("-").read(interrupt).await?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::usage("the password on standard input is not UTF-8"))?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(Error::usage("there is no password on standard input"));
    }
    Ok(password.into())
}

fn unanswered(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::Interrupted => Error::Interrupted,
        _ => Error::usage(format!("cannot read the answer: {error}")),
    }
}

/// Runs what blocks beside the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

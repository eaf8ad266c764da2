//! The flags of `bookhub login`.

/// Log in and keep the token for this server
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The token is kept in a file that only you can read, one for each server. Passwords are never taken
from the command line, where others could see them.

Examples:
  bookhub login
  bookhub login --user admin --server https://shop.example
  bookhub login --user admin --password-stdin < password.txt")]
pub(crate) struct LoginArgs {
    /// The user name; asked for if it is not given
    #[arg(long, short, visible_alias = "username", value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Read the password from the first line of standard input
    #[arg(long, requires = "user")]
    pub(crate) password_stdin: bool,
}

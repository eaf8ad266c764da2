//! What the commands do, a file a noun. They get what they need from [`Shop`]; they print through
//! the printer, and fail with an `Error`.

mod books;
mod login;
mod seed;
mod watch;

use crate::{
    api::Api,
    args::{Args, Command},
    credentials::Credentials,
    error::Result,
    interrupt::Interrupt,
    printer::Printer,
};

/// What every command works with.
#[derive(Debug)]
struct Shop {
    api: Api,
    credentials: Credentials,
    printer: Printer,
    interrupt: Interrupt,
}

/// Runs the command that `args` name.
pub(crate) async fn run(args: Args, printer: Printer) -> Result<()> {
    let interrupt = Interrupt::listen();
    let credentials = Credentials::locate()?;
    let token = credentials.token(&args.global.server)?;
    let api = Api::new(args.global.server, args.global.timeout, token)?;
    let shop = Shop { api, credentials, printer, interrupt };
    match args.command {
        Command::Login(args) => login::login(shop, args).await,
        Command::Logout => login::logout(shop).await,
        Command::Seed(args) => seed::run(&shop, args).await,
        Command::Books(command) => books::run(&shop, command).await,
        Command::Watch(args) => watch::run(&shop, args).await,
    }
}

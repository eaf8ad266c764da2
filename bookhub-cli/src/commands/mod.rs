//! What the commands do, a file a noun. They get what they need from a [`Shop`] or a [`Line`]; they
//! print through the printer, and fail with an `Error`.

mod books;
mod login;
mod seed;
mod watch;

use crate::{
    api::Api,
    args::{Args, Command, Global},
    credentials::Credentials,
    error::Result,
    interrupt::Interrupt,
    printer::Printer,
    server::ServerUrl,
    shelves::{Database, Shelves},
    target::{self, Target},
};

/// What the commands about books work with, wherever the books are.
#[derive(Debug)]
struct Shop {
    shelves: Box<dyn Shelves>,
    printer: Printer,
    interrupt: Interrupt,
}

/// What the commands work with that need a server.
#[derive(Debug)]
struct Line {
    api: Api,
    credentials: Credentials,
    printer: Printer,
    interrupt: Interrupt,
}

/// Runs the command that `args` name.
pub(crate) async fn run(args: Args, printer: Printer) -> Result<()> {
    let Args { global, command } = args;
    let interrupt = Interrupt::listen();
    let shop = |interrupt| Shop::find(&global, printer, interrupt);
    let line =
        |name, interrupt| Line::to(target::server(&global, name)?, &global, printer, interrupt);
    match command {
        Command::Login(args) => login::login(line("login", interrupt)?, args).await,
        Command::Logout => login::logout(line("logout", interrupt)?).await,
        Command::Seed(args) => seed::run(&shop(interrupt)?, args).await,
        Command::Books(command) => books::run(&shop(interrupt)?, command).await,
        Command::Watch(args) => watch::run(&line("watch", interrupt)?, args).await,
    }
}

impl Shop {
    fn find(global: &Global, printer: Printer, interrupt: Interrupt) -> Result<Self> {
        let shelves: Box<dyn Shelves> = match Target::of(global)? {
            Target::Server(server) => Box::new(api(server, global, &Credentials::locate()?)?),
            Target::Database(uri) => Box::new(Database::new(uri, global.timeout, printer)),
        };
        Ok(Self { shelves, printer, interrupt })
    }
}

impl Line {
    fn to(
        server: ServerUrl,
        global: &Global,
        printer: Printer,
        interrupt: Interrupt,
    ) -> Result<Self> {
        let credentials = Credentials::locate()?;
        let api = api(server, global, &credentials)?;
        Ok(Self { api, credentials, printer, interrupt })
    }
}

/// The server, and who speaks to it.
fn api(server: ServerUrl, global: &Global, credentials: &Credentials) -> Result<Api> {
    let token = credentials.token(&server)?;
    Api::new(server, global.timeout, token)
}

//! `bookhub login` and `bookhub logout`: a token for a server, got and given back.

use serde_json::json;

use super::Line;
use crate::{
    args::LoginArgs,
    environment,
    error::{Error, Result},
    input,
};

pub(super) async fn login(line: Line, args: LoginArgs) -> Result<()> {
    let Line { api, credentials, printer, interrupt } = line;
    let api = api.anonymous();
    let server = api.server();
    if server.is_overheard() {
        let sentence = format!("{server} has no TLS: your password can be read on the way");
        printer.warning("no_tls", &sentence, json!({}));
    }
    if !args.password_stdin && !input::is_terminal() {
        return Err(Error::usage(
            "there is no terminal to ask on: use --user NAME --password-stdin",
        ));
    }
    let username = match args.user {
        Some(name) => name,
        None => input::ask("User name: ", &printer, &interrupt).await?,
    };
    let password = if args.password_stdin {
        input::password_from_stdin(&interrupt).await?
    } else {
        input::ask_password("Password: ").await?
    };
    let answer = interrupt.or(api.login(&username, &password)).await;
    let answer = answer.map_err(Error::naming_flags)?;
    credentials.store(server, &answer.user.username, &answer.token)?;
    warn_of_environment(&printer);
    printer.result(
        &format!("Logged in to {server} as {}.", answer.user.username),
        &json!({ "server": server.to_string(), "user": answer.user }),
    )
}

/// The stored token is forgotten in any case; what is left to say is whether the server knows.
pub(super) async fn logout(line: Line) -> Result<()> {
    let Line { api, credentials, printer, interrupt } = line;
    let server = api.server().clone();
    let stored = credentials.stored(&server)?;
    warn_of_environment(&printer);
    let Some(token) = stored else {
        let sentence = format!("You are not logged in to {server}.");
        return printer.result(&sentence, &json!({ "server": server.to_string() }));
    };
    let told = interrupt.or(api.with_token(token).logout()).await;
    credentials.forget(&server)?;
    match told {
        Ok(()) => {}
        // The token was dead already.
        Err(Error::Refused(refusal)) if refusal.status() == Some(401) => {}
        Err(error) => {
            let sentence = "the token is forgotten here, but the server could not be told: it stays \
                            valid until it expires";
            printer.warning("token_still_valid", sentence, json!({}));
            return Err(error);
        }
    }
    printer.result(&format!("Logged out of {server}."), &json!({ "server": server.to_string() }))
}

fn warn_of_environment(printer: &crate::printer::Printer) {
    if environment::value(environment::TOKEN).is_some() {
        let sentence = "BOOKHUB_TOKEN is set and goes before the stored login";
        printer.warning("env_token", sentence, json!({}));
    }
}

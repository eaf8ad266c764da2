//! Sees to it that the bare driver sends what the server sends.

use anyhow::{Context as _, Result};
use bookhub_tests::Server;
use mongodb::bson::Document;

use crate::{
    backend::{Kept, Shop, address},
    bare::Driver,
    load::Connection,
    question::{Operation, Question},
    spy::Spy,
};

/// The commands by which each operation is answered. Fails if those of the bare driver are others.
pub(crate) async fn commands(
    shop: &Shop,
    kept: &Kept,
    operations: &[Operation],
) -> Result<Vec<String>> {
    let spy = Spy::on(kept.address).await?;
    let name = kept.uri.rsplit('/').next().and_then(|name| name.split('?').next());
    // Straight to where the spy is, and not to where the database says that it is.
    let uri =
        format!("mongodb://{}/{}?directConnection=true", spy.address, name.context("a name")?);
    let server = Server::with(&[], &[("MONGODB_URI", &uri)]).await?;
    let token = server.admin().await?.token;
    let (mut connection, driver) =
        (Connection::open(address(&server)?).await?, Driver::connect(&uri).await?);
    let mut all = Vec::new();
    for operation in operations {
        let question = Question::all(*operation, &shop.sample).swap_remove(0);
        let call = driver.calls(*operation, &shop.sample).await?.swap_remove(0);
        spy.take();
        let status = connection.ask(&question.request(&token)?).await?;
        anyhow::ensure!(status == 200, "{} is answered with {status}", operation.label());
        let sent: Vec<_> = spy.take().into_iter().map(comparable).collect();
        driver.call(call).await?;
        let bare: Vec<_> = spy.take().into_iter().map(comparable).collect();
        anyhow::ensure!(sent == bare, "not the same commands:\n{sent:#?}\n{bare:#?}");
        all.push(names(&sent));
    }
    server.terminate().await?;
    Ok(all)
}

/// Without what differs from one time to the next.
fn comparable(mut command: Document) -> Document {
    // No entry of the audit trail is like another.
    command.remove("documents");
    command.remove("updates");
    // Who is logged in, and since when, is another matter.
    if let Ok(filter) = command.get_document_mut("filter")
        && filter.contains_key("endedAt")
    {
        filter.remove("_id");
    }
    if let Ok(query) = command.get_document_mut("query") {
        query.remove("version");
    }
    if let Ok(set) = command.get_document_mut("update").and_then(|all| all.get_document_mut("$set"))
    {
        set.remove("updatedAt");
    }
    command
}

/// What they do, and where: `3 find, findAndModify`.
fn names(commands: &[Document]) -> String {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for name in commands.iter().filter_map(|command| command.keys().next()) {
        match names.iter_mut().find(|(other, _)| other == name) {
            Some((_, count)) => *count += 1,
            None => names.push((name, 1)),
        }
    }
    let named = names.iter().map(|(name, count)| match count {
        1 => (*name).to_owned(),
        _ => format!("{count} {name}"),
    });
    named.collect::<Vec<_>>().join(", ")
}

//! How a real MongoDB answers what the shop asks: from its change stream, and by an index each time.

use std::{env, sync::Arc};

use anyhow::{Context as _, Result};
use bookhub_core::{
    BookQuery, Cursor, GenreKey, MongoConfig, MongoStore, OrderQuery, OrderStatus, SearchQuery,
    Sort, Store, UserId, load_sample,
};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use mongodb::{
    Client,
    bson::{Document, doc},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_query_looks_at_every_document() -> Result<()> {
    let uri = env::var("BOOKHUB_TEST_MONGODB_URI").context("it names a replica set")?;
    let name = format!("plans_{}", std::process::id());
    let config = MongoConfig { database: name.clone(), ..MongoConfig::default() };
    let store = MongoStore::connect(&uri, config).await?;
    assert!(!store.hears_only_itself(), "a replica set has change streams");
    let store: Arc<dyn Store> = Arc::new(store);
    load_sample(Arc::clone(&store)).await?;

    // The server notes each command, with the plan by which it was done.
    let database = Client::with_uri_str(&uri).await?.database(&name);
    database.run_command(doc! { "profile": 2 }).await?;
    let asked = ask(&*store).await?;
    database.run_command(doc! { "profile": 0 }).await?;
    let asked_of = ["books", "orders", "sessions", "users"].map(|of| format!("{name}.{of}"));
    let planned = doc! { "ns": { "$in": asked_of.to_vec() }, "planSummary": { "$exists": true } };
    let profile = database.collection::<Document>("system.profile");
    let done: Vec<_> = profile.find(planned).await?.try_collect().await?;
    assert!(done.len() >= asked, "{} plans of {asked} questions", done.len());
    for command in done {
        let plan = command.get_str("planSummary")?;
        assert!(!plan.contains("COLLSCAN"), "{plan}: {command}");
    }
    Ok(())
}

/// Asks everything that shoppers, admins and the servers themselves ask. How many questions it were.
async fn ask(store: &dyn Store) -> Result<usize> {
    let mut asked = 0;
    let user = UserId::generate(Timestamp::now());
    for (_, sort) in Sort::ALL {
        let first = BookQuery::default().with_sort(sort);
        let some = store.books(&first).await?.books.pop().context("there are books")?;
        let genre = GenreKey::of(&some.content.genre);
        let questions = [
            first.clone(),
            first.clone().with_genre(genre.clone()),
            first.clone().with_years(Some(1900), Some(1999)),
            first.clone().with_genre(genre).with_years(Some(1900), None),
            first.clone().with_search(SearchQuery::parse("the")?),
            first.clone().with_search(SearchQuery::parse("the gre")?).with_years(None, Some(2000)),
        ];
        for question in questions {
            let behind = Cursor::behind(&some, sort);
            for question in [question.clone(), question.after_cursor(behind)] {
                store.books(&question).await?;
                asked += 1;
            }
        }
        store.book(some.id).await?;
        asked += 1;
    }
    store.genres().await?;
    store.books_by_isbn(&["9780439023481".parse()?]).await?;
    store.low_stock(20).await?;
    store.count_users().await?;
    for query in [
        OrderQuery::default(),
        OrderQuery::default().with_user(user),
        OrderQuery::default().with_status(OrderStatus::Placed),
        OrderQuery::default().with_user(user).with_status(OrderStatus::Placed),
    ] {
        store.orders(&query).await?;
    }
    store.end_sessions(user, None).await?;
    store.account(user).await?;
    store.settle_orders(Timestamp::now()).await?;
    Ok(asked + 12)
}

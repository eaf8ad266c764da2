//! The services write the audit trail: each change once.

use std::{collections::HashSet, sync::Arc};

use serde_json::json;

use super::{
    audit::user,
    concurrent::together,
    orders::{buyer, order},
    samples::{all_fed, any_book, insert, isbn},
};
use crate::{
    Accounts, AccountsConfig, Action, Actor, AuditChange, AuditEntry, AuditLog, AuditQuery,
    BookContent, BookDraft, BookPatch, Catalog, CatalogError, ChangeKind, Clock, HashCost, Login,
    OrderStatus, Orders, Outcome, PageSize, ProfileUpdate, Role, Signup, Stock, StockAdjustment,
    Store, Title, User, Username,
};

/// However many edit the same books at once, and however often they are refused: each change that was
/// made has one confirmed entry, by whoever made it, that goes on where the one before had ended.
pub async fn each_change_is_in_the_trail_once(store: Arc<dyn Store>) {
    const EDITORS: i64 = 6;
    let catalog = Catalog::new(Arc::clone(&store));
    let draft = draft("Emma");
    let emma = catalog.create(draft.clone()).await.expect("created");
    let before = store.head().await.expect("a head");
    let done = together(EDITORS, |editor| {
        let catalog = catalog.by(Actor::command_line(&format!("editor {editor}")));
        let (id, draft) = (emma.id, draft.clone());
        async move {
            let mut done = 0;
            for round in 0..6 {
                let number = editor * 10 + round;
                let patch = BookPatch {
                    title: Title::new(&format!("Emma {number}")).ok(),
                    stock: Stock::new(5 + number).ok().filter(|_| round % 2 == 0),
                    ..BookPatch::default()
                };
                // Every other one for a version that is most likely gone.
                let expected = (round % 2 == 1).then_some(u64::try_from(round).expect("small"));
                done += i64::from(catalog.update(id, &patch, expected).await.is_ok());
                let delta = if round % 3 == 0 { -4 } else { 1 };
                let reason = "counted".parse().expect("a reason");
                let moved = catalog.adjust_stock(id, &StockAdjustment { delta, reason }).await;
                done += i64::from(moved.is_ok());
            }
            let own = catalog.create(draft).await.expect("created").id;
            let again = [catalog.delete(own, Some(7)).await, catalog.delete(own, None).await];
            assert!(matches!(again[0], Err(CatalogError::VersionConflict { .. })));
            assert!(again[1].is_ok());
            done + 2
        }
    });
    let done: i64 = done.await.into_iter().sum();

    let entries = everything(&store).await;
    let fed = all_fed(&*store, before).await;
    assert_eq!(entries.len() as u64, 1 + u64::try_from(done).expect("positive"));
    assert_eq!(entries.len(), 1 + fed.len());
    assert!(entries.iter().all(|entry| entry.outcome == Outcome::Done), "{entries:?}");
    for change in &fed {
        let id = change.kind.book().expect("a book").uuid();
        let action = match &change.kind {
            ChangeKind::BookCreated(_) => Action::BookCreated,
            ChangeKind::BookDeleted(_) => Action::BookDeleted,
            _ => continue,
        };
        let of_it = |entry: &&Arc<AuditEntry>| entry.target.id == id && entry.action == action;
        assert_eq!(entries.iter().filter(of_it).count(), 1);
    }
    let of_emma: Vec<_> =
        entries.iter().rev().filter(|entry| entry.target.id == emma.id.uuid()).collect();
    let mut title = json!("Emma");
    let mut stock = 5;
    for entry in &of_emma[1..] {
        if let Some(change) = change_of(entry, "title") {
            assert_eq!(change.before.as_ref(), Some(&title), "{entry:?}");
            title = change.after.clone().expect("a title");
        }
        if let Some(AuditChange { before: Some(was), after: Some(is), .. }) =
            change_of(entry, "stock")
        {
            let moved = is.as_i64().expect("a number") - was.as_i64().expect("a number");
            assert!(entry.delta.is_none_or(|delta| delta == moved), "{entry:?}");
            stock += moved;
        }
        assert_eq!(entry.reason.is_some(), entry.action == Action::BookStockAdjusted);
    }
    let (now, _) = catalog.get(emma.id).await.expect("a book");
    assert_eq!((json!(now.content.title), i64::from(now.stock.count())), (title, stock));
}

/// Many books that come at once have their entries, and those that were refused have none.
pub async fn many_books_are_in_the_trail(store: Arc<dyn Store>) {
    let catalog = Catalog::new(Arc::clone(&store)).by(user("asha"));
    let drafts: Vec<_> = (0..160)
        .map(|number| BookDraft {
            content: BookContent { isbn: Some(isbn(number / 2)), ..draft("Emma").content },
            ..draft("Emma")
        })
        .collect();
    let created = catalog.create_many(drafts).await.expect("tried");
    let created: HashSet<_> = created.into_iter().flatten().map(|book| book.id.uuid()).collect();
    assert_eq!(created.len(), 80);
    let entries = everything(&store).await;
    assert_eq!(entries.len(), 80);
    let told: HashSet<_> = entries.iter().map(|entry| entry.target.id).collect();
    assert_eq!(told, created);
    assert!(entries.iter().all(|entry| entry.actor == user_like(&entries[0].actor, "asha")));
    assert_eq!(change_of(&entries[0], "title").expect("told").after, Some(json!("Emma")));
}

/// What is done to accounts and orders is told, sales and sign-ups are not, and nothing of it is secret.
pub async fn what_is_done_to_people_and_orders_is_told(store: Arc<dyn Store>) {
    let config = AccountsConfig { hash_cost: HashCost::WEAK, ..AccountsConfig::default() };
    let accounts = Accounts::with_config(Arc::clone(&store), Clock::system(), &config);
    let admin = accounts.create_admin(signup("admin")).await.expect("made");
    let (asha, _) = accounts.signup(signup("asha")).await.expect("signed up");
    let (_, session) =
        accounts.login(Login::new("asha", "correct horse")).await.expect("logged in");
    let by_admin = accounts.by(Actor::from(&admin));
    for role in [Role::Admin, Role::Admin, Role::User] {
        by_admin.set_role(asha.id, role).await.expect("changed");
    }
    assert!(by_admin.set_role(admin.id, Role::User).await.is_err(), "the last one stays");
    let update = json!({"password": "battery staple", "currentPassword": "correct horse"});
    let update = ProfileUpdate::from_json(update.as_object().expect("an object")).expect("good");
    accounts.update_profile(session.id, update).await.expect("changed");
    let wrong = json!({"password": "battery stable", "currentPassword": "correct house"});
    let wrong = ProfileUpdate::from_json(wrong.as_object().expect("an object")).expect("good");
    accounts.update_profile(session.id, wrong).await.expect_err("wrong");

    let emma = insert(&*store, any_book()).await;
    let sold = store.place_order(order(buyer(), &[(emma.id, 1)])).await.expect("sold");
    let orders = Orders::new(Arc::clone(&store)).by(Actor::from(&admin));
    orders.set_status(sold.id, OrderStatus::Cancelled).await.expect("cancelled");
    orders.set_status(sold.id, OrderStatus::Shipped).await.expect_err("it is cancelled");

    let entries = everything(&store).await;
    let told: Vec<_> = entries.iter().rev().map(|entry| json!(entry)).collect();
    let told = |number: usize, field: &str| told[number][field].clone();
    assert_eq!(entries.len(), 5, "{entries:?}");
    let who = |user: &User| json!(Actor::from(user));
    for (number, (action, actor, target, changes)) in [
        (
            Action::UserCreated,
            json!({"kind": "system"}),
            admin.id.uuid(),
            json!([
                {"field": "username", "after": "admin"}, {"field": "role", "after": "admin"},
            ]),
        ),
        (
            Action::UserRoleChanged,
            who(&admin),
            asha.id.uuid(),
            json!([
                {"field": "role", "before": "user", "after": "admin"},
            ]),
        ),
        (
            Action::UserRoleChanged,
            who(&admin),
            asha.id.uuid(),
            json!([
                {"field": "role", "before": "admin", "after": "user"},
            ]),
        ),
        (Action::UserPasswordChanged, who(&asha), asha.id.uuid(), json!([])),
        (
            Action::OrderStatusChanged,
            who(&admin),
            sold.id.uuid(),
            json!([
                {"field": "status", "before": "placed", "after": "cancelled"},
            ]),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(told(number, "action"), json!(action));
        assert_eq!(told(number, "actor"), actor);
        assert_eq!(told(number, "target")["id"], json!(target));
        assert_eq!(told(number, "changes"), changes);
        assert_eq!(told(number, "outcome"), json!("done"));
    }
    let text = json!(entries.iter().map(|entry| json!(entry)).collect::<Vec<_>>()).to_string();
    let session = session.id.to_string();
    for secret in ["correct horse", "battery", "argon2", "hash", "generation", &*session] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

/// The user of this name with the id of another actor.
fn user_like(actor: &Actor, name: &str) -> Actor {
    let Actor::User { id, .. } = actor else { panic!("no user: {actor:?}") };
    Actor::User { id: *id, username: Username::new(name).expect("a name") }
}

fn signup(name: &str) -> Signup {
    let json = json!({"username": name, "password": "correct horse"});
    Signup::from_json(json.as_object().expect("an object")).expect("good")
}

fn draft(title: &str) -> BookDraft {
    let book = any_book();
    let title = Title::new(title).expect("a title");
    BookDraft { content: BookContent { title, ..book.content }, stock: book.stock }
}

fn change_of<'a>(entry: &'a AuditEntry, field: &str) -> Option<&'a AuditChange> {
    entry.changes.iter().find(|change| change.field == field)
}

/// Everything that is known of the present, newest first.
async fn everything(store: &Arc<dyn Store>) -> Vec<Arc<AuditEntry>> {
    let log = AuditLog::new(Arc::clone(store));
    let (mut query, mut all) = (AuditQuery::default().with_limit(PageSize::MAX), Vec::new());
    loop {
        let page = log.list(&query).await.expect("a page");
        all.extend(page.entries);
        let Some(next) = page.next else { return all };
        query = query.after_entry(next);
    }
}

//! The audit trail is kept.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::samples::{all_fed, epoch};
use crate::{
    Action, Actor, AuditChange, AuditEntry, AuditId, AuditQuery, AuditTarget, Outcome, PageSize,
    Store, TargetKind, UserId, Username,
};

/// What is confirmed reads as it was confirmed, whoever it was by.
pub async fn an_entry_is_read_as_it_was_confirmed(store: Arc<dyn Store>) {
    let actors = [user("Asha"), Actor::command_line("root"), Actor::System];
    for (number, actor) in actors.into_iter().enumerate() {
        let mut entry = entry(actor, Action::BookStockAdjusted, Uuid::now_v7());
        store.note_audit(vec![entry.clone()]).await.expect("noted");
        entry.changes = [json!(7), json!("Ἔμμα"), json!(199.5), json!(-500), json!(true)]
            .into_iter()
            .map(|value| AuditChange { field: "stock".into(), before: None, after: Some(value) })
            .collect();
        entry.changes.push(AuditChange {
            field: "isbn".into(),
            before: Some(json!("x")),
            after: None,
        });
        (entry.delta, entry.reason) = (Some(-3), "water damage".parse().ok());
        entry.outcome = Outcome::Done;
        store.confirm_audit(entry.clone()).await.expect("confirmed");
        let read = shown(&*store, &AuditQuery::default()).await;
        assert_eq!(read.len(), number + 1);
        assert_eq!(*read[0], entry);
    }
    // One that was never noted is kept all the same.
    let entry = AuditEntry {
        outcome: Outcome::Done,
        ..entry(Actor::System, Action::BookCreated, Uuid::now_v7())
    };
    store.confirm_audit(entry.clone()).await.expect("confirmed");
    assert_eq!(*shown(&*store, &AuditQuery::default()).await[0], entry);
}

/// A change that is under way is not shown; one that nobody has spoken of for long is shown as it is.
pub async fn what_is_not_confirmed_is_unknown(store: Arc<dyn Store>) {
    let entries: Vec<_> =
        (0..4).map(|_| entry(Actor::System, Action::BookCreated, Uuid::now_v7())).collect();
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    let claimed =
        entries.iter().cloned().map(|entry| AuditEntry { outcome: Outcome::Done, ..entry });
    store.note_audit(claimed.collect()).await.expect("noted");
    assert_eq!(shown(&*store, &AuditQuery::default()).await, []);
    let later = epoch() + SignedDuration::from_millis(1);
    let read = store.audit_entries(&AuditQuery::default(), later).await.expect("a page").entries;
    assert!(read.iter().map(|entry| &**entry).eq(entries.iter().rev()), "{read:?}");

    for _ in 0..2 {
        store.confirm_noted_audit(&ids[..2]).await.expect("confirmed");
        // What was confirmed stays.
        store.withdraw_audit(&ids[1..3]).await.expect("withdrawn");
    }
    let read = shown(&*store, &AuditQuery::default()).await;
    assert_eq!(read.iter().map(|entry| entry.id).collect::<Vec<_>>(), [ids[1], ids[0]]);
    assert!(read.iter().all(|entry| entry.outcome == Outcome::Done));
    let all = store.audit_entries(&AuditQuery::default(), later).await.expect("a page").entries;
    assert_eq!(all.iter().map(|entry| entry.id).collect::<Vec<_>>(), [ids[3], ids[1], ids[0]]);
    store.confirm_noted_audit(&[]).await.expect("confirmed");
    store.withdraw_audit(&[AuditId::generate(epoch())]).await.expect("withdrawn");
    store.note_audit(Vec::new()).await.expect("noted");
}

/// Entries are listed newest first, by whom, what and about what they are, and a walk meets each once.
pub async fn entries_are_found_by_who_did_what_to_what(store: Arc<dyn Store>) {
    let actors = [user("Asha"), user("ravi"), Actor::command_line("asha"), Actor::System];
    let actions = [Action::BookUpdated, Action::BookDeleted, Action::UserRoleChanged];
    let targets = [Uuid::now_v7(), Uuid::now_v7()];
    let mut all = Vec::new();
    for number in 0..36 {
        let (actor, action) = (actors[number % 4].clone(), actions[number % 3]);
        let entry = entry(actor, action, targets[number % 2]);
        all.push(AuditEntry { outcome: Outcome::Done, ..entry });
    }
    store.note_audit(all.clone()).await.expect("noted");
    let ids: Vec<_> = all.iter().map(|entry| entry.id).collect();
    store.confirm_noted_audit(&ids).await.expect("confirmed");
    all.reverse();

    let base = AuditQuery::default().with_limit(PageSize::new(5).expect("a size"));
    let name = |name| Username::new(name).expect("a name");
    let queries = [
        base.clone(),
        base.clone().with_actor(name("ASHA")),
        base.clone().with_action(Action::BookDeleted),
        base.clone().with_target(targets[1]),
        base.clone().with_actor(name("ravi")).with_action(Action::BookUpdated),
        base.clone().with_action(Action::BookUpdated).with_target(targets[0]),
        base.clone().with_actor(name("asha")).with_action(actions[2]).with_target(targets[0]),
        base.clone().with_actor(name("nobody")),
        base.clone().with_target(Uuid::now_v7()),
    ];
    for query in queries {
        let expected: Vec<_> = all.iter().filter(|entry| query.matches(entry)).collect();
        let (mut query, mut met) = (query, Vec::new());
        loop {
            let page = store.audit_entries(&query, epoch()).await.expect("a page");
            assert!(page.entries.len() <= 5);
            met.extend(page.entries);
            let Some(next) = page.next else { break };
            query = query.after_entry(next);
        }
        assert!(met.iter().map(|entry| &**entry).eq(expected), "{query:?}: {met:?}");
    }
}

/// The trail is for those who ask for it: the feed has none of it.
pub async fn the_trail_is_not_fed(store: Arc<dyn Store>) {
    let before = store.head().await.expect("a head");
    let entries: Vec<_> =
        (0..3).map(|_| entry(Actor::System, Action::BookCreated, Uuid::now_v7())).collect();
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    store.note_audit(entries.clone()).await.expect("noted");
    store.confirm_audit(entries[0].clone()).await.expect("confirmed");
    store.confirm_noted_audit(&ids[1..2]).await.expect("confirmed");
    store.withdraw_audit(&ids[2..]).await.expect("withdrawn");
    assert_eq!(all_fed(&*store, before).await, []);
}

/// A noted entry of the distant past.
fn entry(actor: Actor, action: Action, target: Uuid) -> AuditEntry {
    let name = Some("Emma".to_owned());
    AuditEntry {
        id: AuditId::generate(epoch()),
        at: epoch(),
        actor,
        action,
        target: AuditTarget { kind: TargetKind::Book, id: target, name },
        changes: Vec::new(),
        delta: None,
        reason: None,
        outcome: Outcome::Unknown,
    }
}

pub(super) fn user(name: &str) -> Actor {
    let username = Username::new(name).expect("a name");
    Actor::User { id: UserId::generate(epoch()), username }
}

/// The first page of what is known.
async fn shown(store: &dyn Store, query: &AuditQuery) -> Vec<Arc<AuditEntry>> {
    store.audit_entries(query, Timestamp::MIN).await.expect("a page").entries
}

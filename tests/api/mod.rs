//! The HTTP API as it is promised, row by row: each good answer, and each error. The same on every
//! backend: whoever includes this says how a shop without books is opened.

pub(crate) mod cart;
pub(crate) mod dashboard;
pub(crate) mod orders;
pub(crate) mod users;

use anyhow::{Context as _, Result, ensure};
use bookhub_tests::Person;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

/// Each case as a test, on shops that `$open` opens for cases of this name.
macro_rules! cases {
    ($open:path) => {
        crate::api::cases! { $open, cart:
            a_cart_is_the_same_on_every_device,
            what_a_guest_had_is_merged,
            a_cart_is_nobody_elses,
            what_is_wrong_with_a_cart_is_named,
        }
        crate::api::cases! { $open, dashboard:
            the_dashboard_tells_what_was_sold,
            a_book_that_is_gone_is_still_told_of,
            who_is_connected_is_counted,
            admins_alone_see_the_dashboard,
        }
        crate::api::cases! { $open, orders:
            an_order_is_placed_once_by_its_key,
            what_was_ordered_stays_as_it_was,
            nobody_sells_more_than_there_is,
            orders_are_their_users_own,
            an_order_moves_along_and_never_back,
            whoever_may_see_an_order_hears_of_it,
            what_is_wrong_with_an_order_is_named,
        }
        crate::api::cases! { $open, users:
            admins_see_who_has_an_account,
            a_role_holds_at_once_on_open_sockets_too,
            the_last_admin_stays,
        }
    };
    ($open:path, $rows:ident: $($case:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() -> anyhow::Result<()> {
            let shop = $open(stringify!($case)).await?;
            crate::api::$rows::$case(&shop).await
        }
    )*};
}

pub(crate) use cases;

/// The answer to a request: its status, and its JSON.
async fn answer(request: RequestBuilder) -> Result<(u16, Value)> {
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.json().await.unwrap_or_default()))
}

/// The answer to a request with this body.
async fn sent(who: &Person, method: Method, path: &str, body: &Value) -> Result<(u16, Value)> {
    answer(who.request(method, path).json(body)).await
}

/// Sees to it that a request was refused in the one form of errors, with this status and code.
#[track_caller]
fn is_refused((status, body): &(u16, Value), expected: u16, code: &str) {
    assert_eq!((*status, &body["code"]), (expected, &Value::from(code)), "{body}");
    assert!(body["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{body}");
    assert!(body["requestId"].as_str().is_some_and(|id| id.len() == 32), "{body}");
}

/// The fields that a refusal names.
fn fields(body: &Value) -> Vec<&str> {
    let details = body["details"].as_array().into_iter().flatten();
    details.filter_map(|detail| detail["field"].as_str()).collect()
}

fn header<'a>(response: &'a Response, name: &str) -> Result<&'a str> {
    let value = response.headers().get(name).with_context(|| format!("no header {name}"))?;
    Ok(value.to_str()?)
}

/// What a walk along the links to the next page finds, from this page on.
async fn walk(who: &Person, path: &str) -> Result<Vec<Value>> {
    let (mut path, mut all) = (path.to_owned(), Vec::new());
    loop {
        let page = who.send(Method::GET, &path, &Value::Null).await?.error_for_status()?;
        let next = page.headers().get("link").map(|link| link.to_str().map(str::to_owned));
        all.extend(page.json::<Vec<Value>>().await?);
        ensure!(all.len() < 10_000, "the walk does not end");
        let Some(next) = next.transpose()? else { return Ok(all) };
        path = next.split(['<', '>']).nth(1).context("a link")?.to_owned();
    }
}

//! The HTTP API as it is promised, row by row: each good answer, and each error. The same on every
//! backend: whoever includes this says how a shop without books is opened.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod books;
pub(crate) mod cart;
pub(crate) mod dashboard;
pub(crate) mod deletions;
pub(crate) mod edits;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod orders;
pub(crate) mod security;
pub(crate) mod users;

use anyhow::{Context as _, Result, ensure};
use bookhub_tests::{Person, Server};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

/// Each case as a test, on shops that `$open` opens for cases of this name.
macro_rules! cases {
    ($open:path) => {
        crate::api::cases! { $open, accounts:
            whoever_signs_up_is_logged_in,
            what_is_wrong_with_an_account_is_named,
            a_login_needs_the_password,
            a_logout_ends_the_token_and_its_sockets,
            a_profile_is_its_users,
            another_password_ends_the_other_sessions,
        }
        crate::api::cases! { $open, audit:
            what_admins_do_to_a_book_is_told_in_full,
            what_is_done_to_users_and_orders_is_told,
            only_admins_read_the_trail_and_page_by_page,
        }
        crate::api::cases! { $open, books:
            a_page_comes_with_all_that_is_promised,
            books_are_found_and_put_in_order,
            bad_queries_are_named,
            a_book_is_read_with_its_tag,
            genres_are_counted,
        }
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
        crate::api::cases! { $open, deletions:
            a_deleted_account_is_gone_at_once,
            whoever_leaves_gives_their_password,
            the_last_admin_cannot_leave,
        }
        crate::api::cases! { $open, edits:
            a_book_lives_from_its_creation_to_its_end,
            bad_fields_are_named_and_nothing_is_written,
            bad_bodies_get_their_own_answers,
            a_stale_edit_is_refused,
            an_isbn_belongs_to_one_book,
            stock_is_corrected_within_its_range,
            only_admins_change_the_catalogue,
            what_is_not_there_cannot_be_changed,
        }
        crate::api::cases! { $open, export:
            an_export_is_the_whole_catalogue,
            what_was_exported_is_imported_without_change,
            who_may_export_and_how_is_said,
        }
        crate::api::cases! { $open, health:
            health_says_what_it_promises,
        }
        crate::api::cases! { $open, import:
            each_row_of_a_file_is_accounted_for,
            a_row_whose_isbn_is_there_is_met_as_asked,
            all_or_nothing_is_all_or_nothing,
            an_isbn_that_is_taken_meanwhile_has_all_taken_back,
            a_file_that_cannot_be_used_is_refused,
            only_admins_import,
            a_row_may_be_large_and_a_file_larger,
            a_file_that_is_cut_off_says_how_far_it_came,
            many_books_come_in_soon,
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
        crate::api::cases! { $open, security:
            operators_are_no_values_of_any_field,
            operators_in_queries_find_nothing_more,
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

/// The id of nothing.
const MISSING: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A request as a browser sends it for whoever has this token.
fn by_cookie(shop: &Server, method: Method, path: &str, token: &str) -> RequestBuilder {
    let request = reqwest::Client::new().request(method, format!("{}{path}", shop.url));
    request.header("cookie", format!("token={token}"))
}

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

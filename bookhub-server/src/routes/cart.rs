//! The cart: `/api/cart`.

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use bookhub_core::{Amount, Cart, CartLine, FilledCart, Invalid, ShownBook};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    auth::LoggedIn,
    body::JsonObject,
    error::{ApiError, INVALID_QUERY},
    routes::{listing::Parameters, shared::private},
    state::AppState,
};

/// `GET /api/cart`
pub(crate) async fn get(
    State(state): State<AppState>,
    LoggedIn { user, .. }: LoggedIn,
) -> Result<Response, ApiError> {
    Ok(shown(&state.carts.cart(user.id).await?))
}

/// `PUT /api/cart`: another cart in its place; with `?merge=true` both in one.
pub(crate) async fn put(
    State(state): State<AppState>,
    LoggedIn { user, .. }: LoggedIn,
    RawQuery(query): RawQuery,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let is_merge = is_merge(query.as_deref().unwrap_or_default())?;
    let cart = Cart::from_json(&object).map_err(ApiError::fields("Invalid cart"))?;
    let cart = match is_merge {
        true => state.carts.merge(user.id, cart).await?,
        false => state.carts.put(user.id, cart).await?,
    };
    Ok(shown(&cart))
}

/// `DELETE /api/cart`: empties it.
pub(crate) async fn delete(
    State(state): State<AppState>,
    LoggedIn { user, .. }: LoggedIn,
) -> Result<Response, ApiError> {
    Ok(shown(&state.carts.put(user.id, Cart::default()).await?))
}

fn is_merge(query: &str) -> Result<bool, ApiError> {
    let mut is_merge = None;
    for (name, value) in Parameters::parse(query)?.iter() {
        let problem = match (name.as_str(), value.as_str()) {
            ("merge", _) if is_merge.is_some() => "Is given twice: give it once.",
            ("merge", "true" | "false") => {
                is_merge = Some(value == "true");
                continue;
            }
            ("merge", _) => "Must be true or false.",
            _ => "Is not known here: leave it out. Known is merge.",
        };
        let invalid = Invalid::field(name.chars().take(100).collect::<String>(), problem);
        return Err(ApiError::fields(INVALID_QUERY)(invalid));
    }
    Ok(is_merge.unwrap_or_default())
}

#[derive(Serialize)]
struct Shown<'a> {
    items: Vec<Item<'a>>,
    total: Amount,
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(flatten)]
    line: CartLine,
    /// As it is now; `null` if it is gone.
    book: Option<ShownBook<'a>>,
}

fn shown(cart: &FilledCart) -> Response {
    let now = Timestamp::now();
    let items = cart.lines.iter().map(|(line, book)| Item {
        line: *line,
        book: book.as_ref().map(|book| book.shown_at(now)),
    });
    let shown = Shown { items: items.collect(), total: cart.total() };
    private(&shown)
}

//! The orders: `/api/orders`.

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bookhub_core::{
    BookId, FieldError, IdempotencyKey, Order, OrderDraft, OrderId, OrderPatch, OrderQuery,
    OrdersError, Role, User,
};
use serde_json::{Map, Value};

use crate::{
    auth::{Admin, LoggedIn},
    body::JsonObject,
    error::{ApiError, Detail, INVALID_INPUT, INVALID_QUERY},
    routes::{
        listing::{self, Parameters},
        shared::{IdPath, private},
    },
    state::AppState,
};

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// `POST /api/orders`: without a key each request places an order of its own.
pub(crate) async fn place(
    State(state): State<AppState>,
    LoggedIn { user, .. }: LoggedIn,
    headers: HeaderMap,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let key = idempotency_key(&headers)?;
    let draft = OrderDraft::from_json(&object).map_err(ApiError::fields("Invalid order"))?;
    let placed = state.orders.place(user.id, draft, key).await;
    let order = placed.map_err(|error| of_place(error, &object))?;
    let location = HeaderValue::try_from(format!("/api/orders/{}", order.id));
    let location = (header::LOCATION, location.map_err(|_| ApiError::Internal)?);
    Ok((StatusCode::CREATED, [location], private(&order)).into_response())
}

/// `GET /api/orders`: their own; an admin sees everybody's.
pub(crate) async fn list(
    State(state): State<AppState>,
    LoggedIn { user, .. }: LoggedIn,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let mut query =
        OrderQuery::parse(parameters.iter()).map_err(ApiError::fields(INVALID_QUERY))?;
    if user.role != Role::Admin {
        if query.user().is_some_and(|other| other != user.id) {
            return Err(ApiError::AdminRequired);
        }
        query = query.with_user(user.id);
    }
    let position = state.store.seen();
    let page = state.orders.list(&query).await?;
    let mut response = private(&page.orders);
    let headers = response.headers_mut();
    headers.extend(parameters.next("/api/orders", page.next.as_ref())?);
    headers.extend([listing::position(&state, position)?]);
    Ok(response)
}

/// `GET /api/orders/{id}`: somebody else's is none.
pub(crate) async fn get(
    State(state): State<AppState>,
    LoggedIn { user, .. }: LoggedIn,
    IdPath(id): IdPath<OrderId>,
) -> Result<Response, ApiError> {
    let position = state.store.seen();
    let order = state.orders.order(id).await?;
    if !may_see(&user, &order) {
        return Err(OrdersError::NotFound(order.id).into());
    }
    let mut response = private(&order);
    response.headers_mut().extend([listing::position(&state, position)?]);
    Ok(response)
}

/// `PATCH /api/orders/{id}`: moves it along, or cancels it.
pub(crate) async fn update(
    State(state): State<AppState>,
    admin: Admin,
    IdPath(id): IdPath<OrderId>,
    JsonObject(object): JsonObject,
) -> Result<Response, ApiError> {
    let patch = OrderPatch::from_json(&object).map_err(ApiError::fields(INVALID_INPUT))?;
    Ok(private(&state.orders.by(admin.actor()).set_status(id, patch.status).await?))
}

fn may_see(user: &User, order: &Order) -> bool {
    user.role == Role::Admin || order.user == user.id
}

/// The key of the request, quoted or bare, at most one.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, ApiError> {
    let refused = |problem: &dyn std::fmt::Display| {
        let error = FieldError::new(IDEMPOTENCY_KEY.as_str(), problem);
        ApiError::Fields(INVALID_INPUT, vec![error])
    };
    let mut keys = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(refused(&"Is given twice: give it once."));
    }
    let key = key.to_str().map_err(|_| refused(&"Must be ASCII."))?;
    IdempotencyKey::new(key).map(Some).map_err(|problem| refused(&problem))
}

/// The failure, with each book that is in the way named by its place in the request.
fn of_place(error: OrdersError, request: &Map<String, Value>) -> ApiError {
    let details = match &error {
        OrdersError::OutOfStock(shortages) => shortages
            .iter()
            .map(|short| {
                let message = match &short.title {
                    Some(title) => format!("Of “{title}” there are {} copies.", short.available),
                    None => "There is no such book.".to_owned(),
                };
                detail(request, short.book, "quantity", message, short)
            })
            .collect(),
        OrdersError::PriceChanged(changes) => changes
            .iter()
            .map(|change| {
                let message = format!("Costs {} now.", change.current);
                detail(request, change.book, "price", message, change)
            })
            .collect(),
        _ => Vec::new(),
    };
    ApiError::Orders(error, details)
}

fn detail(
    request: &Map<String, Value>,
    book: BookId,
    field: &str,
    message: String,
    more: &impl serde::Serialize,
) -> Detail {
    let items = request.get("items").and_then(Value::as_array).into_iter().flatten();
    let is_of_book = |item: &Value| {
        let id = item.get("bookId").and_then(Value::as_str);
        id.and_then(|id| id.parse().ok()) == Some(book)
    };
    let place = items.enumerate().find(|(_, item)| is_of_book(item)).map_or(0, |(place, _)| place);
    Detail::new(FieldError::new(format!("items[{place}].{field}"), message), more)
}

impl From<OrdersError> for ApiError {
    fn from(error: OrdersError) -> Self {
        Self::Orders(error, Vec::new())
    }
}

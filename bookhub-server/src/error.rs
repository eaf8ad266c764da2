//! What a client is told when its request fails: its status, its stable code, its sentence. The
//! inside of a 5xx is logged, not sent.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bookhub_core::{
    AccountsError, CatalogError, DashboardError, FieldError, ImportError, Invalid, OrdersError,
    StoreError,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::limits::Standing;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum ApiError {
    Catalog(CatalogError),
    Accounts(AccountsError),
    /// With what is in the way of an order.
    Orders(OrdersError, Vec<Detail>),
    Import(ImportError),
    Dashboard(DashboardError),
    /// Wrong fields, with the sentence that stands above them.
    Fields(&'static str, Vec<FieldError>),
    /// The body is no JSON object.
    Json(String),
    ContentType,
    ContentEncoding,
    /// A file of books in a form that is not known.
    FileType,
    TooLarge,
    BodyLost,
    BadIfMatch,
    NotFound(&'static str),
    Method,
    LoginRequired,
    AdminRequired,
    CrossSite,
    MetricsToken,
    SetupRefused,
    /// Too many of something in a span of time.
    TooMany {
        what: &'static str,
        code: &'static str,
        standing: Standing,
    },
    TimedOut,
    Internal,
}

/// One thing that is wrong: the field, why, and what else programs may want to know of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Detail {
    #[serde(flatten)]
    error: FieldError,
    #[serde(flatten)]
    more: Value,
}

impl Detail {
    pub(crate) fn new(error: FieldError, more: &impl Serialize) -> Self {
        Self { error, more: serde_json::to_value(more).unwrap_or_default() }
    }
}

impl From<FieldError> for Detail {
    fn from(error: FieldError) -> Self {
        Self { error, more: Value::Object(serde_json::Map::new()) }
    }
}

/// An error as it is sent, waiting in the response for the id of the request.
#[derive(Debug, Clone)]
pub(crate) struct ErrorBody {
    error: String,
    code: &'static str,
    details: Vec<Detail>,
    /// What became of the rows of an import.
    report: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sent<'a> {
    error: &'a str,
    code: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
    details: &'a [Detail],
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    report: Option<&'a Value>,
}

impl ErrorBody {
    /// The body with the id under which the log knows the request.
    pub(crate) fn with_request_id(&self, request_id: &str) -> Response {
        let Self { error, code, details, report } = self;
        Json(Sent { error, code, request_id, details, report: report.as_ref() }).into_response()
    }
}

pub(crate) const INVALID_BOOK: &str = "Invalid book data";
pub(crate) const INVALID_QUERY: &str = "Invalid query";
pub(crate) const INVALID_INPUT: &str = "Invalid input";

/// How many books are named that an import has left.
const MOST_LEFT: usize = 100;

impl ApiError {
    pub(crate) fn fields(sentence: &'static str) -> impl Fn(Invalid) -> Self {
        move |invalid| Self::Fields(sentence, invalid.into_errors())
    }

    /// From errors to statuses and codes. What the catalogue refuses has its code from there.
    fn status(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::Catalog(error) => (of_catalog(error), error.code()),
            Self::Accounts(error) => match error {
                AccountsError::Invalid(_) => (S::BAD_REQUEST, "invalid"),
                AccountsError::UsernameTaken => (S::CONFLICT, "username_taken"),
                AccountsError::EmailTaken => (S::CONFLICT, "email_taken"),
                AccountsError::WrongCredentials => (S::UNAUTHORIZED, "wrong_credentials"),
                AccountsError::WrongPassword => (S::FORBIDDEN, "wrong_password"),
                AccountsError::SessionEnded => (S::UNAUTHORIZED, "session_ended"),
                AccountsError::Conflict => (S::CONFLICT, "conflict"),
                AccountsError::NotFound(_) => (S::NOT_FOUND, "not_found"),
                AccountsError::LastAdmin => (S::CONFLICT, "last_admin"),
                AccountsError::AdminExists => (S::CONFLICT, "admin_exists"),
                AccountsError::Busy => (S::SERVICE_UNAVAILABLE, "busy"),
                AccountsError::Store(error) => (of_store(error), error.code()),
                _ => (S::INTERNAL_SERVER_ERROR, "internal"),
            },
            Self::Orders(error, _) => of_order(error),
            Self::Import(error) => (of_import(error), error.code()),
            Self::Dashboard(error) => match error {
                DashboardError::Counting => (S::SERVICE_UNAVAILABLE, "busy"),
                DashboardError::Store(error) => (of_store(error), error.code()),
                _ => (S::INTERNAL_SERVER_ERROR, "internal"),
            },
            Self::Fields(..) => (S::BAD_REQUEST, "invalid"),
            Self::Json(_) => (S::BAD_REQUEST, "invalid_json"),
            Self::ContentEncoding => (S::UNSUPPORTED_MEDIA_TYPE, "content_encoding"),
            Self::ContentType | Self::FileType => (S::UNSUPPORTED_MEDIA_TYPE, "content_type"),
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyLost => (S::BAD_REQUEST, "body_incomplete"),
            Self::BadIfMatch => (S::BAD_REQUEST, "invalid_if_match"),
            Self::NotFound(_) => (S::NOT_FOUND, "not_found"),
            Self::Method => (S::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::LoginRequired => (S::UNAUTHORIZED, "login_required"),
            Self::AdminRequired => (S::FORBIDDEN, "admin_required"),
            Self::CrossSite => (S::FORBIDDEN, "cross_site"),
            Self::MetricsToken => (S::UNAUTHORIZED, "metrics_token_required"),
            Self::SetupRefused => (S::FORBIDDEN, "setup_refused"),
            Self::TooMany { code, .. } => (S::TOO_MANY_REQUESTS, code),
            Self::TimedOut => (S::SERVICE_UNAVAILABLE, "timed_out"),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Catalog(CatalogError::NotFound(_)) => "Book not found".to_owned(),
            Self::Catalog(error) => error.to_string(),
            Self::Accounts(AccountsError::Invalid(_)) => INVALID_INPUT.to_owned(),
            Self::Accounts(AccountsError::NotFound(_)) => "User not found".to_owned(),
            Self::Accounts(error) => error.to_string(),
            Self::Orders(OrdersError::NotFound(_), _) => "Order not found".to_owned(),
            Self::Orders(error, _) => error.to_string(),
            Self::Import(error) => error.to_string(),
            Self::Dashboard(error) => error.to_string(),
            Self::Fields(sentence, _) => (*sentence).to_owned(),
            Self::Json(problem) => format!("The body is no JSON object: {problem}"),
            Self::ContentType => "Send JSON, with the header Content-Type: application/json".into(),
            Self::ContentEncoding => {
                "Send the body as it is, without the header Content-Encoding".to_owned()
            }
            Self::FileType => "Send a file of books, with the header Content-Type: text/csv or \
                 application/x-ndjson"
                .to_owned(),
            Self::TooLarge => "The body is larger than 1 MiB".to_owned(),
            Self::BodyLost => "The body did not arrive whole".to_owned(),
            Self::BadIfMatch => {
                "If-Match must be * or an ETag that this book was answered with".to_owned()
            }
            Self::NotFound(what) => (*what).to_owned(),
            Self::Method => "This address does not know this method: see the Allow header".into(),
            Self::LoginRequired => {
                "Log in first: send the token as Authorization: Bearer, or as the cookie".to_owned()
            }
            Self::AdminRequired => "Only an admin may do this".to_owned(),
            Self::CrossSite => {
                "With a cookie, changes are taken from the shop's own pages only: send the token \
                 as Authorization: Bearer instead"
                    .to_owned()
            }
            Self::MetricsToken => {
                "Send the METRICS_TOKEN of this server as Authorization: Bearer".to_owned()
            }
            Self::SetupRefused => {
                "This is not the link that the server has printed at its start".to_owned()
            }
            Self::TooMany { what, standing, .. } => {
                format!("Too many {what}: try again in {} s", standing.retry_after())
            }
            Self::TimedOut => "The answer took too long".to_owned(),
            Self::Internal => "Something went wrong on our side".to_owned(),
        }
    }

    /// What became of the rows of an import that failed, and the books that it has left.
    fn report(&self) -> Option<Value> {
        let Self::Import(error) = self else { return None };
        let report = error.report()?;
        Some(match error {
            ImportError::Undone { left, .. } if !left.is_empty() => {
                json!({ "report": report, "left": &left[..left.len().min(MOST_LEFT)] })
            }
            _ => json!({ "report": report }),
        })
    }

    fn into_details(self) -> Vec<Detail> {
        let errors = match self {
            Self::Orders(_, details) => return details,
            Self::Fields(_, details) => details,
            Self::Catalog(error) => error.into_fields(),
            Self::Import(ImportError::Invalid(invalid)) => invalid.into_errors(),
            Self::Accounts(AccountsError::Invalid(invalid)) => invalid.into_errors(),
            Self::Accounts(ref error @ AccountsError::UsernameTaken) => {
                vec![FieldError::new("username", error)]
            }
            Self::Accounts(ref error @ AccountsError::EmailTaken) => {
                vec![FieldError::new("email", error)]
            }
            _ => Vec::new(),
        };
        errors.into_iter().map(Detail::from).collect()
    }
}

const fn of_catalog(error: &CatalogError) -> StatusCode {
    match error {
        CatalogError::NotFound(_) => StatusCode::NOT_FOUND,
        CatalogError::IsbnTaken { .. }
        | CatalogError::StockBelowZero { .. }
        | CatalogError::StockAboveLimit { .. } => StatusCode::CONFLICT,
        CatalogError::VersionConflict { .. } => StatusCode::PRECONDITION_FAILED,
        CatalogError::Invalid(_) => StatusCode::BAD_REQUEST,
        CatalogError::Store(error) => of_store(error),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

const fn of_order(error: &OrdersError) -> (StatusCode, &'static str) {
    use StatusCode as S;
    match error {
        OrdersError::NotFound(_) => (S::NOT_FOUND, "not_found"),
        OrdersError::OutOfStock(_) => (S::CONFLICT, "out_of_stock"),
        OrdersError::PriceChanged(_) => (S::CONFLICT, "price_changed"),
        OrdersError::KeyReused => (S::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
        OrdersError::InFlight => (S::CONFLICT, "order_in_flight"),
        OrdersError::NotAllowed { .. } => (S::CONFLICT, "status_not_allowed"),
        OrdersError::Conflict => (S::CONFLICT, "conflict"),
        OrdersError::Store(error) => (of_store(error), error.code()),
        _ => (S::INTERNAL_SERVER_ERROR, "internal"),
    }
}

const fn of_import(error: &ImportError) -> StatusCode {
    match error {
        ImportError::Invalid(_) | ImportError::Rejected(_) | ImportError::CutOff(_) => {
            StatusCode::BAD_REQUEST
        }
        ImportError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ImportError::Unchecked(cause)
        | ImportError::Stopped { cause, .. }
        | ImportError::Undone { cause: Some(cause), .. } => of_store(cause),
        ImportError::Undone { cause: None, .. } => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

const fn of_store(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        StoreError::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        let error = if status.is_server_error() {
            tracing::error!(error = %self.sentence(), code, "a request failed on our side");
            match status {
                // It says nothing of the inside, and what to do about what is half done.
                _ if matches!(self, Self::Import(_)) => self.sentence(),
                StatusCode::SERVICE_UNAVAILABLE => "The shop is busy: try again soon".to_owned(),
                StatusCode::INSUFFICIENT_STORAGE => "The store is full".to_owned(),
                _ => "Something went wrong on our side".to_owned(),
            }
        } else {
            self.sentence()
        };
        let mut response = status.into_response();
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        if code == "order_in_flight" {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Self::TooMany { standing, .. } = &self {
            headers.insert(header::RETRY_AFTER, standing.retry_after().into());
            standing.put(headers);
        }
        let report = self.report();
        let body = ErrorBody { error, code, details: self.into_details(), report };
        response.extensions_mut().insert(body);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Catalog(error.into())
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}

impl From<DashboardError> for ApiError {
    fn from(error: DashboardError) -> Self {
        Self::Dashboard(error)
    }
}

impl From<AccountsError> for ApiError {
    fn from(error: AccountsError) -> Self {
        Self::Accounts(error)
    }
}
